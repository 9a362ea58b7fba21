"""JSON forms of deals: the investor report of a period and the look-through. Money in whole micro-dollars."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from penstock.api.forms import Form, Page, PeriodRow
from penstock.api.report_forms import Evidence


class Periods(Page):
    """Closed periods of a deal, oldest first."""

    deal: str
    closed: list[PeriodRow]


class Edition(Form):
    """Which text and program were in force, and where the deal stands on chain."""

    deal_hash: str
    program_hash: str
    compiler: str
    chain_id: int
    contracts: dict[str, str]


class ReportedMeasure(Form):
    """A number of the period's report; ``value`` is null where none was fresh."""

    name: str
    unit: str
    of: str
    over: int
    value: int | None


class Attested(Form):
    """Who signed the measures, from which tree."""

    fact: int
    quorum: int
    attesters: list[str]
    definition: str
    log_size: int
    log_root: str


class Source(Form):
    """Where dollars came from."""

    source: str
    usdc_micro: int


class Use(Form):
    """Where they went."""

    use: str
    usdc_micro: int


class StepTold(Form):
    """A cash step as it ran: what was there, due and paid, and what limited it."""

    step: int
    line: str
    what: str
    source: str
    target: str
    to_account: bool
    available_usdc_micro: int
    due_usdc_micro: int
    paid_usdc_micro: int
    limit: str
    short_usdc_micro: int


class AccountTold(Form):
    """An account from opening to closing balance; ``target`` is null where nothing was asked of it."""

    account: str
    opening_usdc_micro: int
    collected_usdc_micro: int
    in_usdc_micro: int
    out_usdc_micro: int
    closing_usdc_micro: int
    target_usdc_micro: int | None


class TrancheTold(Form):
    """A tranche's balance and interest over the period."""

    tranche: str
    residual: bool
    face_usdc_micro: int
    opening_usdc_micro: int
    drawn_usdc_micro: int
    capitalised_usdc_micro: int
    principal_paid_usdc_micro: int
    written_off_usdc_micro: int
    closing_usdc_micro: int
    interest_accrued_usdc_micro: int
    interest_paid_usdc_micro: int
    interest_arrears_usdc_micro: int
    principal_arrears_usdc_micro: int
    paid_usdc_micro: int
    paid_ever_usdc_micro: int


class FeeTold(Form):
    """A fee or hedge over the period."""

    payee: str
    owed_before_usdc_micro: int
    due_usdc_micro: int
    paid_usdc_micro: int
    arrears_usdc_micro: int


class LevelTold(Form):
    """A level of a test: how far the value is from asking for it; negative where it does."""

    state: str
    when: Literal["below", "above"]
    bound_millionths: int
    headroom: int | None


class TestTold(Form):
    """A test as the machine compared it; ``money`` says that both sides are micro-dollars."""

    test: int
    name: str
    value: int | None
    against: int | None
    ratio_millionths: int | None
    money: bool
    stale: bool
    waived: bool
    levels: list[LevelTold]
    state_before: str
    state: str
    clean_periods: int
    cure: int
    sticky: bool


class CallTold(Form):
    """A call, and whether it was exercised."""

    call: str
    state: str
    exercised: bool


class ByKind(Form):
    """Collections of one kind."""

    kind: str
    usdc_micro: int


class ByFlag(Form):
    """Collections looked at twice, and why."""

    flag: str
    usdc_micro: int


class Event(Form):
    """What else happened: disputes, votes carried out, roles, calls."""

    fact: int
    kind: str
    what: str


class Servicing(Form):
    """What the servicer recorded that counts in the period."""

    collections: list[ByKind]
    flagged: list[ByFlag]
    late_usdc_micro: int
    billed_usdc_micro: int
    bills: int
    written_off_usdc_micro: int
    events: list[Event]
    facts: list[int]


class Bucket(Form):
    """Assets by days past due."""

    bucket: str
    assets: int
    usdc_micro: int


class Concentrated(Form):
    """One name's part of the pool [basis points, down]."""

    name: str
    assets: int
    amount: int
    share_bp: int


class Concentration(Form):
    """The largest names of one attribute."""

    by: str
    names: list[Concentrated]
    distinct: int


class PoolTold(Form):
    """The assets behind the deal; ``tape`` is the number of the period whose tape says how they stand, 0 for none."""

    assets: int
    balance_usdc_micro: int
    value_usdc_micro: int
    delinquency: list[Bucket]
    concentrations: list[Concentration]
    related_assets: int
    tape: int


class Pulled(Form):
    """A payee that took its dollars over, for so many holders at once."""

    fact: int
    payee: str
    holders: int
    usdc_micro: int


class Past(Form):
    """A period of the history."""

    period: int
    number: int
    stop: str
    fact: int
    state: str
    fresh: bool
    inflow_usdc_micro: int
    balances_usdc_micro: dict[str, int]
    paid_usdc_micro: dict[str, int]
    accounts_usdc_micro: dict[str, int]
    ratios_millionths: dict[str, int | None]


class DealReport(Form):
    """An investor report, as `penstock deal verify` takes it. ``period`` counts from 0, ``number`` from 1."""

    report: str
    deal: str
    title: str
    period: int
    number: int
    of_periods: int
    start: str
    stop: str
    state_before: str
    state: str
    states: list[str]
    fresh: bool
    inflow_usdc_micro: int
    edition: Edition
    measures: list[ReportedMeasure]
    attested: Attested | None
    fact: int
    sources: list[Source]
    uses: list[Use]
    steps: list[StepTold]
    accounts: list[AccountTold]
    tranches: list[TrancheTold]
    fees: list[FeeTold]
    tests: list[TestTold]
    calls: list[CallTold]
    servicing: Servicing
    pool: PoolTold
    pulled: list[Pulled]
    history: list[Past]
    facts: int
    evidence: Evidence


class HeldTranche(Form):
    """What is held of one tranche, and how much stands ahead of it."""

    tranche: str
    positions: int
    shares: int
    supply: int
    claim_usdc_micro: int
    tranche_usdc_micro: int
    ahead_usdc_micro: int


class Held(Form):
    """A holding and its claim."""

    positions: int
    claim_usdc_micro: int
    claims_usdc_micro: int
    tranches: list[HeldTranche]


class AssetPart(Form):
    """An asset, and how much of it the holding comes to."""

    asset: str
    contract: str
    offtaker: str
    obligor: str
    region: str
    kind: str
    technology: str
    assurance: str
    standing: str
    related: bool
    usdc_micro: int
    part_usdc_micro: int


class NamedPart(Form):
    """All assets of one name of an attribute together."""

    name: str
    assets: int
    part_usdc_micro: int
    usdc_micro: int


class RegisterPart(Form):
    """The span a register ran through in the period, and how many of its units the holding comes to."""

    register_: str = Field(alias="register")
    asset: str
    unit: str
    start: int
    stop: int
    part: int


class LookAsked(Form):
    """What was asked, so that it can be asked again: positions as tranche, shares, first share."""

    positions: list[tuple[str, int, int]]
    readings: bool
    shown: int


class LookThrough(Form):
    """A holding's part of everything behind a deal; parts add up. ``basis`` says what amounts are of."""

    look_through: str
    deal: str
    asked: LookAsked
    facts: int
    closed_periods: int
    readings_from: str
    readings_to: str
    holding: Held
    basis: Literal["balance", "value", "claims"]
    pool_usdc_micro: int
    part_usdc_micro: int
    assets: list[AssetPart]
    assets_total: int
    by: dict[str, list[NamedPart]]
    readings: list[RegisterPart]
    evidence: Evidence

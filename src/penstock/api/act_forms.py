"""The JSON forms of acts on certificates: who asks is the key's or the wallet's business, never the body's."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from penstock.api.forms import Form
from penstock.api.registry_forms import AccountName, Instant, SelectionForm, SpanForm, Text, Wh
from penstock.energy.matching import Preference, Timing
from penstock.journal.words import Technology
from penstock.usecases.registry.together import Then


class TransferAsked(Form):
    """Certificates of an account go to another, which has to receive from it."""

    account: AccountName
    target: AccountName
    selection: SelectionForm
    statement: Text = ""


class RetireAsked(Form):
    """Certificates of an account are used up for a stated reason; the time that it is about where there is one.

    ``tariff`` names the green tariff they are used up for, in place of a reason.
    """

    account: AccountName
    selection: SelectionForm
    beneficiary: Text = ""
    reason: Text = ""
    tariff: Text = ""
    statement: Text = ""
    start: Instant | None = None
    stop: Instant | None = None


class ReserveAsked(Form):
    """Certificates of an account are kept for somebody, until an instant or for as long as that one wants."""

    account: AccountName
    selection: SelectionForm
    beneficiary: Text
    until: Instant | None = None
    reason: Text = ""


class ReleaseAsked(Form):
    """Reserved certificates are free again, because ``beneficiary`` says so or their time has come."""

    account: AccountName
    selection: SelectionForm
    beneficiary: Text = ""


class SplitAsked(Form):
    """A certificate is cut into parts of these sizes, in order; what is left is one more."""

    account: AccountName
    certificate: SpanForm
    sizes_wh: Annotated[list[Wh], Field(min_length=1, max_length=1_000)]


class WithdrawAsked(Form):
    """The issuer takes certificates back, whoever has them; reason and statement are public."""

    selection: SelectionForm
    reason: Text
    statement: Text = ""


class CorridorForm(Form):
    """Energy of one zone may supply another: at most ``limit_wh`` in an interval, null without a limit."""

    source: Annotated[str, Field(min_length=1, max_length=64)]
    target: Annotated[str, Field(min_length=1, max_length=64)]
    limit_wh: Annotated[int, Field(ge=0, lt=2**63)] | None = None


class PriceForm(Form):
    """What certificates of a lot cost [micro-dollars per MWh]."""

    lot: Annotated[int, Field(ge=0, lt=2**31)]
    usdc_micro_per_mwh: Annotated[int, Field(ge=0, lt=2**53)]


class MatchAsked(Form):
    """Certificates of an account for what ``consumers`` drew in a time (nobody named: itself), by stated rules."""

    account: AccountName
    start: Instant
    stop: Instant
    consumers: list[AccountName] = Field(default_factory=list, max_length=1_000)
    beneficiary: Text = ""
    preference: Preference = Preference.PRO_RATA
    timing: Timing = Timing.SAME_INTERVAL
    corridors: list[CorridorForm] = Field(default_factory=list, max_length=1_000)
    prices: list[PriceForm] = Field(default_factory=list, max_length=1_000)
    technology: Technology | None = None
    zone: str = Field("", max_length=64)
    statement: Text = ""


class ConsumeAsked(Form):
    """Consumption certificates for all that was drawn and is not certified yet, in a zone."""

    zone: Annotated[str, Field(min_length=1, max_length=64)]
    interval_s: Literal[900, 1_800, 3_600] = 3_600


class ExportAsked(Form):
    """Certificates of an account go to another registry."""

    account: AccountName
    registry: Annotated[str, Field(min_length=1, max_length=128)]
    selection: SelectionForm
    statement: Text = ""


class MatchedInterval(Form):
    """What was drawn in an interval of a zone, and how much of it certificates would supply."""

    interval: str
    zone: str
    drawn_wh: int
    matched_wh: int


class MatchPreview(Form):
    """What a match would come to; nothing is recorded."""

    rules: str
    certificates_wh: int
    drawn_wh: int
    matched_wh: int
    matched_basis_points: int
    intervals: list[MatchedInterval]


class TermsForm(Form):
    """What all certificates of an issue share: interval, carbon, validity (0 days: for good), support."""

    interval_s: Literal[900, 1_800, 3_600] = 3_600
    carbon_mg_per_kwh: Annotated[int, Field(ge=0, le=10**9)] = 0
    valid_days: Annotated[int, Field(ge=0, le=36_600)] = 0
    support: Annotated[str, Field(max_length=32)] = ""


class RulesForm(Form):
    """What suits what was drawn, and who goes first."""

    preference: Preference = Preference.PRO_RATA
    timing: Timing = Timing.SAME_INTERVAL
    corridors: list[CorridorForm] = Field(default_factory=list, max_length=1_000)


class IssueAsked(Form):
    """Certificates of all that was verified in a zone and is not certified yet."""

    zone: Annotated[str, Field(min_length=1, max_length=32)]
    terms: TermsForm = Field(default_factory=TermsForm)


class TogetherAsked(Form):
    """Issue; what ``account`` gets of it goes to ``target`` (empty: stays), and is held, claimed or retired.

    All of it or nothing.
    """

    zone: Annotated[str, Field(min_length=1, max_length=32)]
    account: AccountName
    target: Annotated[str, Field(max_length=200)] = ""
    then: Then = Then.HOLD
    terms: TermsForm = Field(default_factory=TermsForm)
    consumers: list[AccountName] = Field(default_factory=list, max_length=1_000)
    rules: RulesForm = Field(default_factory=RulesForm)
    beneficiary: Text = ""
    reason: Text = ""
    statement: Text = ""


class ClaimAsked(Form):
    """Chosen certificates of an account for what ``consumers`` drew in the same intervals (nobody named: itself)."""

    account: AccountName
    selection: SelectionForm
    consumers: list[AccountName] = Field(default_factory=list, max_length=1_000)
    rules: RulesForm = Field(default_factory=RulesForm)
    beneficiary: Text = ""
    statement: Text = ""


class RefusedRow(Form):
    """A row of a file that was not done, and why."""

    row: int
    reason: str


class BulkDone(Form):
    """What became of a file's rows: how many, how many are done, their Wh, the refused by reason, the first of them."""

    rows: int
    done: int
    quantity_wh: int
    refused: dict[str, int]
    refusals: list[RefusedRow]


class LiftAsked(Form):
    """Certificates of an account leave for the chain, to be minted to an address within so many days."""

    account: AccountName
    selection: SelectionForm
    holder: str = Field(pattern="^0x[0-9a-fA-F]{40}$")
    days: Annotated[int, Field(ge=1, le=365)] = 30


class LiftedBatch(Form):
    """A batch that was lifted: its fact's place, the id on chain, and by when it has to be minted [s]."""

    batch: int
    certificate: str
    quantity_wh: int
    rows: int
    deadline_s: int
    lapsed: bool
    on_chain_wh: int


class Lifted(Form):
    """What was lifted; the operator sends the batches to the chain."""

    batches: list[LiftedBatch]

"""The pool behind the deal: 120 roofs' loans and the rack's contract; each day's bills, payments, mark and tape."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import pyarrow as pa

from penstock.capital.asset_table import read_assets
from penstock.cli.demo import rents
from penstock.cli.demo.fleet import CELLS, Roof
from penstock.cli.demo.play import BUYER, DEAL, OPERATOR, RACK, SERVICER, Stagehand
from penstock.journal.fact import Entry
from penstock.journal.kinds.servicing import AssetsPooled, CollectionKind, CollectionsMatched, DealRole, MarkSet
from penstock.journal.words import Assurance, Outcome
from penstock.period import DAY_US, HOUR_US, Period, iso
from penstock.usecases.inspect import refusals
from penstock.usecases.servicing.appoint import appoint
from penstock.usecases.servicing.bill import Bill, bill
from penstock.usecases.servicing.collect import Payment, collect
from penstock.usecases.servicing.mark import mark
from penstock.usecases.servicing.pool import pool
from penstock.usecases.servicing.report import report
from penstock.usecases.world import World

LENT_USDC_MICRO_PER_W: Final = 2_750_000
LOAN_PERCENT: Final = 6
LOAN_MONTHS: Final = 240
RACK_OWED_USDC: Final = 2_400_000
RACK_WORTH_USDC: Final = 2_600_000
RACK_MONTHS: Final = 36
DUE_DAYS: Final = 28
"""Roofs take turns: each is due on its own day of four weeks."""
DESKS: Final = "desks"
"""What two small providers earn by the answer."""
BACKUP: Final = "backup-servicer"
ON_BILL: Final = "utility"
"""Households repay on their electricity bill: their utility passes it on."""
LOCKBOX_FUNDS_USDC_MICRO: Final = 100_000_000_000
Row = dict[str, str]


def fill_pool(hand: Stagehand) -> None:
    """Who acts for the deal, and the assets it rests on, each pledged to it alone."""
    start_us, submit = hand.week.start_us, hand.workspace.submit
    for role, account in _ROLES.items():
        submit(f"appoint:{role}", b"", start_us, partial(_appointed, role=role, account=account))
    rows = [*_roof_rows(hand), _rack_row(hand), _desks_row(hand)]
    table = read_assets(pa.table({name: [row[name] for row in rows] for name in rows[0]}))
    submit("pool", b"", start_us, lambda world: pool(world, DEAL, table, OPERATOR))


_ROLES: Final = {
    DealRole.SPONSOR: OPERATOR,
    DealRole.SERVICER: SERVICER,
    DealRole.BACKUP_SERVICER: BACKUP,
    DealRole.TRUSTEE: "trustee",
}


def _appointed(world: World, role: DealRole, account: str) -> list[Entry]:
    return appoint(world, DEAL, role, account, "as the deal begins", by=OPERATOR)


def _roof_rows(hand: Stagehand) -> Iterator[Row]:
    """A loan a roof. Whose meter lies in quarantine is vouched for by nobody but its owner."""
    doubted = {row["device"] for row in _quarantined(hand)}
    for number, roof in enumerate(hand.roofs):
        yield {
            "asset": roof.name,
            "contract": loan(roof),
            "offtaker": "households",
            "obligor": f"household-{roof.name.rpartition('-')[2]}",
            "region": CELLS[number % len(CELLS)],
            "kind": "loan",
            "balance_usdc": _usdc(owed(roof)),
            "rate_percent": str(LOAN_PERCENT),
            "starts": "2016-01-01",
            "ends": "2037-01-01",
            "first_due": iso(hand.week.start_us + number % DUE_DAYS * DAY_US),
            "term_periods": str(LOAN_MONTHS),
            "payment_usdc": _usdc(owed(roof) // LOAN_MONTHS),
            "repays": "straight",
            "value_usdc": _usdc(owed(roof) * 11 // 10),
            "technology": "solar_pv",
            "assurance": Assurance.DECLARED if roof.name in doubted else Assurance.METER_SIGNED,
            "registers": f"{roof.name}/export",
        }


def _rack_row(hand: Stagehand) -> Row:
    """A contract for the whole rack: so much a day for standing by, at the day's rents."""
    monthly = hand.rack.accelerators * rents.STANDBY_USDC_MICRO * 30
    return {
        "asset": RACK,
        "contract": STANDBY,
        "offtaker": BUYER,
        "obligor": BUYER,
        "region": CELLS[0],
        "kind": "gpu_contract",
        "balance_usdc": str(RACK_OWED_USDC),
        "rate_percent": "0",
        "starts": "2016-01-01",
        "ends": "2020-01-01",
        "first_due": iso(hand.week.start_us),
        "term_periods": str(RACK_MONTHS),
        "payment_usdc": _usdc(monthly),
        "repays": "fixed",
        "value_usdc": str(RACK_WORTH_USDC),
        "technology": "accelerator",
        "assurance": Assurance.METER_SIGNED,
        "registers": f"{RACK}/import",
    }


def _desks_row(hand: Stagehand) -> Row:
    """What two small providers earn by the answer: nothing is lent on it."""
    named = {
        "asset": DESKS,
        "contract": f"sales-{DESKS}",
        "offtaker": "agents",
        "obligor": "agents",
        "kind": "revenue_share",
    }
    nothing = {"balance_usdc": "0", "rate_percent": "0", "payment_usdc": "1", "value_usdc": "0"}
    vouched = {"kind": "revenue_share", "assurance": Assurance.DECLARED, "registers": ""}
    return {**_rack_row(hand), **named, **nothing, **vouched}


STANDBY: Final = f"standby-{RACK}"


def loan(roof: Roof) -> str:
    """A roof's loan by its contract's name."""
    return f"loan-{roof.name}"


def owed(roof: Roof) -> int:
    """What a roof's loan stands at when the week begins [micro-dollars]."""
    return roof.size_w * LENT_USDC_MICRO_PER_W


def _usdc(micro: int) -> str:
    return f"{micro // 10**6}.{micro % 10**6:06d}"


def _quarantined(hand: Stagehand) -> list[dict[str, Any]]:
    return [row for row in refusals(hand.workspace) if row["outcome"] == Outcome.QUARANTINED]


def bill_day(hand: Stagehand, number: int) -> None:
    """The day's bills: the month's loan payments that fall due, and the rack's standing by."""
    day = hand.days[number]
    bills = [_loan_bill(roof, day) for roof in due_roofs(hand, number)] + [_standby_bill(hand, number)]
    by = servicer(hand)
    hand.workspace.submit(f"bills:{number}", b"", day.start_us, lambda world: bill(world, DEAL, bills, by))


def due_roofs(hand: Stagehand, number: int) -> list[Roof]:
    """Roofs whose loan payment falls due on a day."""
    return [roof for at, roof in enumerate(hand.roofs) if at % DUE_DAYS == number]


def interest(roof: Roof) -> int:
    """A month's interest on a roof's loan, rounded down [micro-dollars]."""
    return owed(roof) * LOAN_PERCENT // 1_200


def servicer(hand: Stagehand) -> str:
    """Who services the deal by now."""
    return hand.workspace.read(lambda world: world.capital.servicing.of(DEAL).roles[DealRole.SERVICER][0])


def _reference(contract: str, day: Period) -> str:
    return f"{contract}/{iso(day.start_us)[:10]}"


def _loan_bill(roof: Roof, day: Period) -> Bill:
    amount = owed(roof) // LOAN_MONTHS + interest(roof)
    return Bill(roof.name, day, day.stop_us, amount, _reference(loan(roof), day))


def _standby_bill(hand: Stagehand, number: int) -> Bill:
    day, count = hand.days[number], hand.rack.accelerators
    amount = rents.standby_usdc_micro(hand.settings.rents, number, count)
    return Bill(RACK, day, day.stop_us, amount, _reference(STANDBY, day), count)


def collect_day(hand: Stagehand, number: int) -> None:
    """What reached the lockbox goes on to the deal on chain, and is matched to asset, contract and bill."""
    day, key = hand.days[number], f"collected:{number}"
    if hand.recorded(key):
        return
    payments = list(_payments(hand, number))
    total = sum(one.usdc_micro for one in payments)
    hand.desk.act(key, "Dollar", "transfer", hand.desk.contract(DEAL).address, total)
    reference, by = _reference("lockbox", day), servicer(hand)
    hand.workspace.submit(
        key, b"", day.stop_us, lambda world: collect(world, DEAL, reference, payments, day.stop_us, by)
    )


def _payments(hand: Stagehand, number: int) -> Iterator[Payment]:
    day = hand.days[number]
    noon_us = day.start_us + 12 * HOUR_US
    for roof in due_roofs(hand, number):
        reference = _reference(loan(roof), day)
        yield Payment(roof.name, CollectionKind.INTEREST, interest(roof), noon_us, ON_BILL, reference)
        yield Payment(roof.name, CollectionKind.PRINCIPAL, owed(roof) // LOAN_MONTHS, noon_us, ON_BILL, reference)
    standby = _standby_bill(hand, number)
    yield Payment(RACK, CollectionKind.REVENUE, standby.usdc_micro, day.stop_us, BUYER, standby.reference)


def tell_day(hand: Stagehand, number: int) -> None:
    """The day's mark of accelerators, and the servicer's tape: all assets as their collections lead to, on time."""
    day, submit = hand.days[number], hand.workspace.submit
    value_e8, by = rents.mark_e8(hand.settings.rents, number), servicer(hand)
    said = MarkSet(rents.MARK, value_e8, rents.SOURCE, day.stop_us, rents.SPEAKS_S)
    submit(f"mark:{number}", b"", day.stop_us, lambda world: mark(world, said, day.stop_us))
    submit(f"tape:{number}", b"", day.stop_us, lambda world: report(world, DEAL, number, {}, day.stop_us, by))


def pooled(hand: Stagehand) -> dict[str, Any]:
    """The pool as launched."""
    facts = [row for row in hand.workspace.facts() if isinstance(row.recorded.fact, AssetsPooled)]
    (row,) = facts
    columns = hand.workspace.columns(row) or {}
    doubted = sorted({one["device"] for one in _quarantined(hand)})
    return {
        "assets": len(columns["asset"]),
        "balance_usdc_micro": int(columns["balance_usdc_micro"].sum()),
        "value_usdc_micro": int(columns["value_usdc_micro"].sum()),
        "rack_usdc_micro": RACK_OWED_USDC * 10**6,
        "doubted": doubted,
        "servicer": SERVICER,
        "modelled": True,
    }


def collected(hand: Stagehand) -> list[dict[str, int]]:
    """By day: the mark [hundred-millionths], payments matched, and what they came to [micro-dollars]."""
    facts = [row.recorded.fact for row in hand.workspace.facts()]
    matched = [fact for fact in facts if isinstance(fact, CollectionsMatched) and fact.reference.startswith("lockbox")]
    marks = [fact for fact in facts if isinstance(fact, MarkSet)]
    return [
        {
            "mark_e8": said.value_e8,
            "payments": one.segment.rows,
            "usdc_micro": sum(moved.usdc_micro for moved in one.transfers),
        }
        for one, said in zip(matched, marks, strict=True)
    ]

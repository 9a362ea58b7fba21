"""A serviced deal on a world without a store: months of a small pool, each act folded as it is decided."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import pyarrow as pa

from penstock.capital.asset_table import AssetTable, read_assets
from penstock.capital.measure import definition_of
from penstock.journal.fact import Entry, FactBody
from penstock.journal.kinds import KINDS
from penstock.journal.kinds.ledger import AccountOpened
from penstock.journal.kinds.servicing import CollectionKind
from penstock.period import DAY_US, Period, parse_iso
from penstock.usecases.originate import originate
from penstock.usecases.servicing.collect import Payment, collect
from penstock.usecases.servicing.pool import pool
from penstock.usecases.servicing.report import Standing, report
from penstock.usecases.world import World

DEAL: Final = "abs"
USDC: Final = 10**6
START_US: Final = parse_iso("2026-01-01T00:00:00+00:00")
TEXT: Final = """
deal: Roofs
dollar: USDC
calendar: {pays: monthly, starts: 2026-01-01T00:00:00Z, grace: 5 d}
report: {cfads: USDC, pool: USDC, losses: USDC, base: {unit: USDC, of: borrowing_base}, sofr: rate,
  ltm: {unit: USDC, of: cfads, over: 2}}
accounts: {collect: {}}
fees: {servicer: {amount: 40 USDC}, admin: {amount: 0.25 % a year, of: pool, count: act/360}}
tranches:
  A: {face: 9_000 USDC, rate: 6 %}
  E: {residual: true}
tests: {oc: {value: pool, against: balance(A), turbo: below 1.05, stale: turbo, cure: after 1 clean period}}
states: [normal, turbo]
waterfall:
  normal: [pay servicer, pay admin, pay A.interest, pay E rest]
  turbo: [pay servicer, pay admin, pay A.interest, sweep A, pay E rest]
pool: {assurance: at least gateway_signed, past_due: at most 60 d, advance: {meter_signed: 90 %, other: 80 %},
  caps: {offtaker: 50 %}}
"""
ROWS: Final = {
    "asset": ["loan-1", "loan-2", "loan-3", "loan-4"],
    "contract": ["c-1", "c-2", "c-3", "c-4"],
    "offtaker": ["utility", "utility", "town", "sponsor"],
    "obligor": ["home-1", "home-2", "home-3", "sponsor"],
    "region": ["CO", "CO", "UT", "CO"],
    "kind": ["loan"] * 4,
    "technology": ["solar_pv"] * 4,
    "assurance": ["meter_signed", "gateway_signed", "meter_signed", "meter_signed"],
    "related": ["no", "no", "no", "yes"],
    "balance_usdc": ["4000", "3000", "2000", "1000"],
    "rate_percent": ["8"] * 4,
    "starts": ["2025-01-01"] * 4,
    "ends": ["2035-01-01"] * 4,
    "first_due": ["2026-01-15"] * 4,
    "term_periods": ["100"] * 4,
}


def month(number: int) -> Period:
    """A period of the deal: January 2026 is 0."""
    ends = [parse_iso(f"2026-{one:02d}-01T00:00:00+00:00") for one in range(1, 13)]
    return Period(ends[number], ends[number + 1])


def table(**cells: Sequence[str]) -> AssetTable:
    """The four loans, columns replaced."""
    return read_assets(pa.table(ROWS | {name: list(cell) for name, cell in cells.items()}))


class Story:
    """A world and its facts so far; every act is folded at once, as the sequencer does."""

    def __init__(self) -> None:
        self.world = World()
        self.at_us = START_US - DAY_US
        self.told: list[tuple[FactBody, int]] = []
        self.tell([Entry(AccountOpened("operator")), Entry(AccountOpened("outside", external=True))])
        self.tell(originate(self.world, DEAL, TEXT, ("programme-1",)))

    def tell(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            recorded = KINDS.record(entry.fact, self.at_us, self.world.books.size)
            self.world.apply(recorded, entry.segment.columns if entry.segment else None)
            self.told.append((entry.fact, self.at_us))

    def at(self, at_us: int) -> Story:
        self.at_us = at_us
        return self

    def pooled(self, assets: AssetTable | None = None, deal: str = DEAL) -> Story:
        self.tell(pool(self.world, deal, assets or table()))
        return self

    def paid(self, *payments: Payment, reference: str = "") -> Story:
        name = reference or f"statement-{len(self.told)}"
        self.tell(collect(self.world, DEAL, name, payments, self.at_us))
        return self

    def taped(self, period: int, standings: Mapping[str, Standing] | None = None) -> Story:
        self.tell(report(self.world, DEAL, period, standings or {}, self.at_us))
        return self

    def value(self, name: str, period: int) -> int:
        """A measure by its name, or by its definition where the deal does not report it."""
        measuring = self.world.capital.measuring(DEAL, period)
        found = next((one for one in measuring.deal.measures if one.name == name), None)
        if found is not None:
            assert definition_of(found)
            return measuring.value(found, period)
        return measuring.flow(name, period)


def payment(
    asset: str, usdc_micro: int, received_us: int, kind: CollectionKind = CollectionKind.INTEREST, payer: str = "home"
) -> Payment:
    return Payment(asset, kind, usdc_micro, received_us, payer)

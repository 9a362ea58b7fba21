"""360 periods of a deal of twelve tranches by the exact engine, against the same deal by hand in Decimal.

Both sides end every period with the same micro-dollar on every account, payee and balance, and in the same state; the
first covers lock-ups, missing reports and acceleration. Ours also checks at each close that no cash was made or lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np

from bench import decimal_deal
from bench.result import Result, is_small, race, seconds
from penstock.capital.closings import Closings, Feed, close_many
from penstock.capital.compile import compile_deal
from penstock.capital.deal import Deal
from penstock.capital.exact import DealState, close_period, opening_state, period_bounds
from penstock.capital.language import load_deal
from penstock.capital.program import Program
from penstock.capital.report import Report

DEAL: Final = Path(__file__).resolve().parent.parent / "tests" / "contracts" / "twelve_tranches.yaml"
PERIODS, ROUNDS, GOAL = 360, 7, 5
USDC: Final = 10**6
NEVER_S: Final = 2**32 - 1


@dataclass(frozen=True)
class Case:
    """The deal, and what happens to it: columns for us, rows of Decimal for the peer."""

    deal: Deal
    program: Program
    start: DealState
    feed: Feed
    notes: list[tuple[Decimal, Decimal]]
    rows: list[decimal_deal.Row]


def case(periods: int, seed: int = 7) -> Case:
    """Seasons and weather, a report missing now and then, bad spells; disaster two thirds of the way on."""
    dice, month = np.random.default_rng(seed), np.arange(periods)
    cash = (1_350_000 + 250_000 * np.sin(month * np.pi / 6)) * dice.uniform(0.85, 1.1, periods)
    cash[month % 97 > 90] *= 0.8
    cash[(month >= periods * 2 // 3) & (month < periods * 2 // 3 + 3)] *= 0.25
    cash_usdc_micro = (cash * USDC).astype(np.int64)
    cfads = np.maximum(cash_usdc_micro - 415_000 * USDC, 0)
    repaid = (250_000 * USDC * dice.uniform(0.5, 1.5, periods)).astype(np.int64)
    value = (100_000_000 * 0.9975**month * USDC).astype(np.int64)
    fresh = month % 41 != 40
    deal = load_deal(DEAL.read_text(encoding="utf-8"))
    program = compile_deal(deal)
    feed = Feed(np.cumsum(cash_usdc_micro), np.stack([cfads, value, repaid], axis=1), fresh)
    rows = [
        (*map(dollars, amounts), known)
        for *amounts, known in zip(
            cash_usdc_micro.tolist(), cfads.tolist(), value.tolist(), repaid.tolist(), fresh.tolist(), strict=True
        )
    ]
    return Case(deal, program, opening_state(program.code), feed, notes(deal), rows)


def dollars(micro: int) -> Decimal:
    """Micro-dollars as dollars."""
    return Decimal(micro).scaleb(-6)


def notes(deal: Deal) -> list[tuple[Decimal, Decimal]]:
    """Balance and rate of each note, for the peer."""
    return [
        (dollars(one.face_usdc_micro), Decimal(one.rate.numerator) / Decimal(one.rate.denominator))
        for one in deal.tranches
        if not one.residual
    ]


def ours(bench: Case, *, records: bool) -> Closings:
    """Our side: every period closed, as columns."""
    return close_many(bench.program.code, bench.start, bench.feed, bench.program.rows, records=records)


def theirs(bench: Case, *, records: bool) -> tuple[list[list[Decimal]], list[int]]:
    """The peer's side."""
    return decimal_deal.months(bench.notes, bench.rows, records=records)


def readable(bench: Case) -> list[Any]:
    """The readable engine on the same periods: its closings, records and all."""
    closings, state = [], bench.start
    code, rows = bench.program.code, bench.program.rows
    for held, measures, fresh in zip(
        bench.feed.balance_usdc_micro.tolist(), bench.feed.measures.tolist(), bench.feed.fresh.tolist(), strict=True
    ):
        end_s = period_bounds(code, state.period, rows)[1]
        report = Report.of(measures, end_s, NEVER_S) if fresh else Report.missing()
        closings.append(close_period(code, state, report, held, end_s if fresh else end_s + NEVER_S, rows))
        state = closings[-1].state
    return closings


def names(deal: Deal) -> list[str]:
    """The lanes that the peer knows too, in its order."""
    accounts, paid = [account.name for account in deal.accounts], [f"{name}.paid" for name in deal.payees]
    return [*accounts, *paid, *(f"{one.name}.balance" for one in deal.tranches if not one.residual)]


def agree(bench: Case) -> np.ndarray[Any, Any]:
    """Every figure of every period, ours, the peer's and the readable engine's; periods in each state."""
    mine, (figures, states) = ours(bench, records=True), theirs(bench, records=True)
    lanes = [bench.program.lanes[name] for name in names(bench.deal)]
    micro = [[int(figure.scaleb(6)) for figure in row] for row in figures]
    assert np.array_equal(mine.lanes[:, lanes], np.array(micro, np.int64))
    assert mine.states.tolist() == states
    assert mine.records is not None
    for place, closing in enumerate(readable(bench)):
        assert closing.state == mine.state(place)
        assert closing.steps == mine.records.of_period(place)
    return np.bincount(mine.states, minlength=3)


def run() -> Result:
    """Without records, the headline; with them in the notes."""
    bench = case(60 if is_small() else PERIODS)
    spent = agree(bench)
    bare = race(lambda: ours(bench, records=False), lambda: theirs(bench, records=False), ROUNDS)
    full = race(lambda: ours(bench, records=True), lambda: theirs(bench, records=True), ROUNDS)
    slow_s, periods = seconds(lambda: readable(bench)), len(bench.rows)
    kept = ours(bench, records=True).records
    recorded = len(kept.named) if kept else 0
    return Result(
        "exact", periods / median(bare.ours_s), "periods a second", periods / median(bare.peer_s), bare.ratio,
        "the same deal by hand in Decimal",
        (
            f"{periods} periods of twelve tranches: {median(bare.ours_s) * 1000:.2f} ms; goal {GOAL} times the peer",
            bare.spread,
            f"with a record of every step ({recorded:,} rows): {periods / median(full.ours_s):,.0f} periods a second, "
            f"{full.ratio:.0f} times the peer, which keeps its own",
            f"the readable engine, records as objects: {periods / slow_s:,.0f} periods a second",
            f"periods normal, locked up, accelerated: {', '.join(map(str, spent))}; every lane of every period equal",
        ),
    )  # fmt: skip

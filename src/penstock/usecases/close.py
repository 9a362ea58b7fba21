"""Close: a period's waterfall, run exactly, becomes facts - each step, each dollar's span, each account's balance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from penstock.capital.exact import Closing, StepRecord
from penstock.capital.program import Program
from penstock.journal.cutting import cut_down
from penstock.journal.fact import Entry
from penstock.journal.formats import STEPS
from penstock.journal.kinds.capital import IncomePulled, PeriodClosed
from penstock.journal.kinds.ledger import Transfer
from penstock.journal.segment import Column, Columns, Segment
from penstock.journal.vault import SPAN
from penstock.journal.words import LinkKind, Right, TitleState
from penstock.period import SECOND_US, Period
from penstock.usecases.match import link_entry
from penstock.usecases.originate import account_of, paid_to
from penstock.usecases.serve import spans_of
from penstock.usecases.world import World

CASH_OPS: Final = frozenset({"PAY", "SPLIT", "FUND", "DRAIN"})
LIMITS: Final = ("cash", "due", "cap", "target", "share", "test", "value")
_PAID: Final = ".paid"


@dataclass(frozen=True, slots=True)
class Payment:
    """Dollars one waterfall step moved, between the ledger's accounts (whose registers bear the same names)."""

    step: int
    source: str
    target: str
    due_usdc_micro: int
    paid_usdc_micro: int
    limit: str
    label: str


def payments(deal: str, program: Program, steps: Sequence[StepRecord]) -> tuple[Payment, ...]:
    """The cash movements among a closing's steps, in order, those of nothing included."""
    return tuple(
        Payment(
            step=record.step,
            source=_address(deal, program.lane_name(record.source)),
            target=_address(deal, program.lane_name(record.payee)),
            due_usdc_micro=record.due,
            paid_usdc_micro=record.paid,
            limit=record.binding,
            label=program.describe_step(record.step),
        )
        for record in steps
        if record.op in CASH_OPS and record.payee
    )


def _address(deal: str, lane: str) -> str:
    return paid_to(deal, lane.removesuffix(_PAID)) if lane.endswith(_PAID) else account_of(deal, lane)


def close(world: World, deal: str, program: Program, closing: Closing) -> list[Entry]:
    """Facts of a closed period: its steps, its transfers, and the spans of dollars that went where.

    Within an account dollars leave in the order they came (first in, first out, by convention).
    """
    period = Period(closing.start_s * SECOND_US, closing.end_s * SECOND_US)
    segment = Segment(STEPS, _step_columns(world, payments(deal, program, closing.steps)))
    closed = PeriodClosed(
        segment=segment.ref(),
        deal=deal,
        period=closing.period,
        stop_us=period.stop_us,
        state=program.state_name(closing.flags),
        inflow_usdc_micro=closing.inflow,
        words=closing.state.words,
        transfers=moved(deal, program, closing),
    )
    world.books.check_transfers(closed.transfers)
    paid = [one for one in payments(deal, program, closing.steps) if one.paid_usdc_micro]
    return [Entry(closed, segment), *_pay_links(world, paid, period)]


def moved(deal: str, program: Program, closing: Closing) -> tuple[Transfer, ...]:
    """The dollars a close moved, in order."""
    return tuple(
        Transfer(one.source, one.target, one.paid_usdc_micro, one.label)
        for one in payments(deal, program, closing.steps)
        if one.paid_usdc_micro
    )


def _step_columns(world: World, moved: Sequence[Payment]) -> Columns:
    ids = world.books.accounts
    return {
        "step": np.array([one.step for one in moved], dtype=np.int32),
        "source": np.array([ids.id_of(one.source) for one in moved], dtype=np.int32),
        "target": np.array([ids.id_of(one.target) for one in moved], dtype=np.int32),
        "due_usdc_micro": np.array([one.due_usdc_micro for one in moved], dtype=np.int64),
        "paid_usdc_micro": np.array([one.paid_usdc_micro for one in moved], dtype=np.int64),
        "limit": np.array([LIMITS.index(one.limit) for one in moved], dtype=np.uint8),
    }


def _pay_links(world: World, moved: Sequence[Payment], period: Period) -> list[Entry]:
    """Links of the payments, in runs: an account that was paid within a run (a released trap) pays in a later one."""
    tips = _Tips(world)
    runs: list[list[Payment]] = [[]]
    for one in moved:
        if one.source in {other.target for other in runs[-1]}:
            runs.append([])
        runs[-1].append(one)
    columns = [tips.lay([(one.source, one.target, one.paid_usdc_micro) for one in run]) for run in runs if run]
    return [link_entry(world, LinkKind.PAY, run, period, check=place == 0) for place, run in enumerate(columns)]


class _Tips:
    """Where the next dollar leaves each register and where the next one arrives."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._spent: dict[int, int] = {}
        self._filled: dict[int, int] = {}

    def lay(self, moves: Sequence[tuple[str, str, int]]) -> Columns:
        """Columns of link/1 for moves of (source, target, amount), each behind the one before on its registers."""
        rows = [self._row(*move) for move in moves]
        names = ("source", "source_start", "source_stop", "target", "target_start", "target_stop")
        dtypes = (np.int32, np.int64, np.int64) * 2
        return {name: np.array([row[i] for row in rows], dtype=dtypes[i]) for i, name in enumerate(names)}

    def _row(self, source: str, target: str, amount: int) -> tuple[int, int, int, int, int, int]:
        registers, links = self._world.books.registers, self._world.books.links[LinkKind.PAY]
        out_of, into = registers.id_of(source), registers.id_of(target)
        start = self._spent.get(out_of, links.spent(out_of))
        reached = self._filled.get(into, int(registers.read[into]))
        self._spent[out_of], self._filled[into] = start + amount, reached + amount
        return out_of, start, start + amount, into, reached, reached + amount


def pull(
    world: World, deal: str, payee: str, program: Program, period: int, target: str, amount: int, holders: int
) -> list[Entry]:
    """A payee pulled its lane: the dollars that waited in the deal are at ``target`` now."""
    moved = (Transfer(paid_to(deal, payee), target, amount, f"period {period + 1}"),) if amount else ()
    world.books.check_transfers(moved)
    return [Entry(IncomePulled(deal, payee, program.payee_lanes[payee], period, holders, moved))]


def pay_tariffs(world: World, deal: str, payee: str, period: Period, target: str) -> list[Entry]:
    """The tariff a period paid goes to the roofs by what each sold to racks, at floors of cumulative Wh.

    ``target`` names each roof's tariff register with ``{}`` for its owner.
    """
    sold = _sold_wh(world, period)
    register = world.books.registers.id_of(paid_to(deal, payee))
    links = world.books.links[LinkKind.PAY]
    start, stop = links.spent(register), int(world.books.registers.read[register])
    cuts = start + cut_down(stop - start, np.array(list(sold.values()), dtype=np.int64))
    roofs = np.array([world.books.registers.id_of(target.format(owner)) for owner in sold], dtype=np.int32)
    reached = world.books.registers.read[roofs]
    begin, end = spans_of(cuts)
    columns: dict[str, Column] = {
        "source": np.full(len(roofs), register, dtype=np.int32),
        "source_start": begin,
        "source_stop": end,
        "target": roofs,
        "target_start": reached,
        "target_stop": reached + end - begin,
    }
    return [link_entry(world, LinkKind.PAY, columns, period)]


def _sold_wh(world: World, period: Period) -> dict[str, int]:
    """Energy that racks drew in a period, by the site that generated it [Wh]; through a storage, what came back."""
    titles = world.books.titles[Right.ENERGY].begun(period.start_us, period.stop_us, tuple(TitleState))
    racks = [world.books.registers.id_of(rack.import_register) for rack in world.compute.racks.values()]
    sold = world.books.links[LinkKind.ALLOCATE].forward(*(titles[name] for name in SPAN))
    mine = np.isin(sold.target, racks)
    register, units = _generated(
        world, *(column[mine] for column in (sold.source, sold.source_start, sold.source_stop))
    )
    by_register = np.zeros(len(world.books.registers), dtype=np.int64)
    np.add.at(by_register, register, units)
    by_site: dict[str, int] = {}
    for number in np.flatnonzero(by_register).tolist():
        site = world.energy.sites[world.energy.site[world.energy.device_of[number]]]
        by_site[site] = by_site.get(site, 0) + int(by_register[number])
    return by_site


def _generated(world: World, register: Column, start: Column, stop: Column) -> tuple[Column, Column]:
    """Registers that generated these units, and how many: what a storage gave out goes back to what charged it."""
    store, drawn = world.books.links[LinkKind.STORE], world.books.links[LinkKind.ALLOCATE]
    given = store.backward(register, start, stop)
    if not len(given):
        return register, stop - start
    stored = np.zeros(len(register), dtype=bool)
    stored[given.query] = True
    charged = drawn.backward(given.source, given.source_start, given.source_stop)
    earlier, units = _generated(world, charged.source, charged.source_start, charged.source_stop)
    return np.r_[register[~stored], earlier], np.r_[(stop - start)[~stored], units]

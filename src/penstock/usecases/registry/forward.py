"""Forward: output is estimated, offered, sold, delivered as it is certified, and settled when its time is over."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from penstock.energy.forward.dues import Due, dues_of_delivery, ended_moves, promised_title
from penstock.energy.forward.estimate import Estimate, estimate_days
from penstock.energy.forward.promise import (
    Promise,
    Sale,
    collateral_account,
    escrow_account,
    promised_register,
)
from penstock.energy.forward.terms import one_period
from penstock.errors import Invalid
from penstock.journal.fact import Entry
from penstock.journal.formats import MOVES, SHAPES, TITLES
from penstock.journal.kinds.energy import TitlesIssued, TitlesMoved
from penstock.journal.kinds.forward import (
    Form,
    ForwardDelivered,
    ForwardIndexPublished,
    ForwardOffered,
    ForwardSettled,
    Remedy,
)
from penstock.journal.kinds.ledger import AccountOpened, RegisterOpened
from penstock.journal.segment import Column, Columns, Segment
from penstock.journal.words import (
    TECHNOLOGIES,
    TITLE_STATES,
    Assurance,
    LinkKind,
    RegisterKind,
    Right,
    TitleState,
    Unit,
)
from penstock.period import DAY_US, Period
from penstock.usecases.claim import Claim, moved
from penstock.usecases.match import link_entry
from penstock.usecases.registry.selection import Named, of_spans, quantity_of, spans_of
from penstock.usecases.registry.transfer import check_receiver
from penstock.usecases.world import World

DELIVERED = "output delivered"
SETTLED = "forward settled"


@dataclass(frozen=True, slots=True)
class Offer:
    """A seller offers output of a plant: ``quantity_wh``, a share, or a ``shape`` of periods (start, stop, Wh).

    The other fields are as in the fact (`ForwardOffered`). Without ``p50_wh`` the plant's own certificates of the
    basis period say what the window yields.
    """

    forward: str
    seller: str
    registers: tuple[str, ...]
    start_us: int
    stop_us: int
    prices_usdc_micro_per_mwh: tuple[int, ...]
    quantity_wh: int = 0
    share_basis_points: int = 0
    shape: tuple[tuple[int, int, int], ...] = ()
    energy: bool = False
    p50_wh: int = 0
    p90_wh: int = 0
    method: str = ""
    basis: str = ""
    basis_start_us: int = 0
    basis_stop_us: int = 0
    collateral_basis_points: int = 1_000
    collateral_above_basis_points: int = 5_000
    remedy: Remedy = Remedy.CASH
    cash_usdc_micro_per_mwh: int = 0
    index: str = ""
    make_up_until_us: int = 0
    grace_us: int = 7 * DAY_US
    by: str = ""


@dataclass(frozen=True, slots=True)
class Sell:
    """A buyer takes so much of a forward - Wh, or basis points of a share - in a rank, 1 the most senior."""

    forward: str
    buyer: str
    rank: int = 1
    quantity_wh: int = 0
    share_basis_points: int = 0
    by: str = ""


@dataclass(frozen=True, slots=True)
class PassOn:
    """Who holds a part of a promise, ``[start, stop)`` on its register, gives it to another."""

    forward: str
    account: str
    target: str
    start: int
    stop: int
    by: str = ""


def estimate(world: World, registers: tuple[str, ...], window: Period, basis: Period) -> Estimate:
    """What a plant yields in a window, from its certificates of the whole days (UTC) of a basis period.

    Raises:
        NotFound: ``register.unknown``. Refused: ``forward.basis``.
    """
    numbers = [world.books.registers.id_of(urn) for urn in registers]
    first, last = -(-basis.start_us // DAY_US), basis.stop_us // DAY_US
    days = np.zeros(max(0, last - first), dtype=np.int64)
    titles = world.books.titles[Right.ATTRIBUTE]
    for number in numbers:
        rows = titles.within(number, 0, titles.head(number))
        day = rows["interval_us"] // DAY_US
        kept = (day >= first) & (day < last) & (rows["state"] != TITLE_STATES.index(TitleState.WITHDRAWN))
        np.add.at(days, day[kept] - first, (rows["stop"] - rows["start"])[kept])
    return estimate_days(days, window.stop_us - window.start_us, f"certificates of {basis}")


def offer(world: World, asked: Offer, at_us: int) -> list[Entry]:
    """The facts of an offer: its register, its accounts, its terms. Raises as `Forwards.check_offer`, `estimate`."""
    terms, segment = _terms(world, asked)
    world.forwards.check_offer(terms, segment.columns, at_us)
    promised = RegisterOpened(promised_register(asked.forward), Unit.WH, RegisterKind.PROMISED, (Right.USE,))
    world.books.registers.check_open(promised)
    accounts = [AccountOpened(name(asked.forward)) for name in (escrow_account, collateral_account)]
    for account in accounts:
        world.books.accounts.check_open(account)
    world.participants.check_may(asked.by, asked.seller, "sell", terms_wh(segment))
    return [Entry(promised), *(Entry(one) for one in accounts), Entry(terms, segment)]


def sell(world: World, asked: Sell, at_us: int) -> list[Entry]:
    """The facts of a sale: price and collateral move, and the buyer holds the promise.

    Raises as `Forwards.reckon_sale`, `check_receives`, `check_may`; Refused ``ledger.overdrawn`` for want of dollars.
    """
    fact = world.forwards.reckon_sale(
        asked.forward, asked.buyer, asked.rank, asked.quantity_wh, asked.share_basis_points, at_us
    )
    promise = world.forwards.named(asked.forward)
    world.participants.check_receives(promise.offered.seller, asked.buyer)
    world.participants.check_may(asked.by, asked.buyer, "buy", fact.quantity_wh)
    fact = replace(fact, by=asked.by)
    world.books.check_transfers(fact.transfers)
    return [Entry(fact), _promised(world, promise, Sale(fact, promise.sold_wh))]


def deliver(world: World, forward: str, at_us: int, by: str = "") -> list[Entry]:
    """The facts of a delivery; where nothing was due, only that it was looked at. Raises as `reckon_delivery`."""
    made = world.forwards.reckon_delivery(forward, at_us)
    promise = world.forwards.named(forward)
    world.participants.check_may(by, promise.offered.seller, "deliver", made.quantity_wh)
    fact = ForwardDelivered(forward, made.quantity_wh, made.transfers, by)
    world.books.check_transfers(fact.transfers)
    if not made.quantity_wh:
        return [Entry(fact)]
    period = Period(promise.offered.start_us, promise.until_us)
    return [Entry(fact), *(_entry(world, due, forward, period) for due in dues_of_delivery(promise, made))]


def settle(world: World, forward: str, at_us: int, by: str = "") -> list[Entry]:
    """The facts of a settlement. Raises as `Forwards.reckon_settlement` and `check_may`."""
    made, index = world.forwards.reckon_settlement(forward, at_us)
    promise = world.forwards.named(forward)
    world.participants.check_may(by, promise.offered.seller, "settle")
    fact = ForwardSettled(forward, made.missing_wh, index, made.unpaid_usdc_micro, made.transfers, by)
    world.books.check_transfers(fact.transfers)
    if not len(made.ended["start"]):
        return [Entry(fact)]
    return [Entry(fact), _moved(world, Right.USE, ended_moves(promise, made.ended), SETTLED)]


def publish_index(world: World, fact: ForwardIndexPublished, by: str = "") -> list[Entry]:
    """The fact of an index price; the registry's operator publishes. Raises as `Forwards.check_index`."""
    world.forwards.check_index(fact)
    world.participants.check_may(by, "", "publish")
    return [Entry(fact)]


def pass_on(world: World, asked: PassOn, at_us: int) -> list[Entry]:
    """The fact that a part of a promise goes to another holder. Raises as `check_receiver`, `of_spans`, `check_may`."""
    world.forwards.named(asked.forward)
    target = check_receiver(world, asked.account, asked.target)
    if not 0 <= asked.start < asked.stop < 2**63:
        raise Invalid("selection.span", "A certificate's span runs upwards from 0 or more.")
    spans = spans_of(world, [Named(promised_register(asked.forward), asked.start, asked.stop)])
    parts = of_spans(world, world.books.accounts.id_of(asked.account), spans, right=Right.USE)
    world.participants.check_may(asked.by, asked.account, "transfer", quantity_of(parts))
    told = Claim(asked.target, "promise passed on", None, "", asked.by)
    return [
        moved(world, Right.USE, parts, TitleState.HELD, told, np.full(len(parts["start"]), target, np.int32), at_us)
    ]


def terms_wh(segment: Segment) -> int:
    """All that is on offer [Wh]."""
    return int(segment.columns["energy_wh"].sum())


def _terms(world: World, asked: Offer) -> tuple[ForwardOffered, Segment]:
    guess = Estimate(asked.p50_wh, asked.p90_wh, asked.method, asked.basis)
    if not asked.p50_wh and asked.basis_stop_us:
        window, basis = Period(asked.start_us, asked.stop_us), Period(asked.basis_start_us, asked.basis_stop_us)
        guess = estimate(world, asked.registers, window, basis)
    form, rows = _promise_of(asked, guess.p50_wh)
    segment = Segment(SHAPES, rows)
    terms = ForwardOffered(
        segment=segment.ref(),
        forward=asked.forward,
        seller=asked.seller,
        registers=asked.registers,
        start_us=asked.start_us,
        stop_us=asked.stop_us,
        form=form,
        share_basis_points=asked.share_basis_points,
        energy=asked.energy,
        p50_wh=guess.p50_wh,
        p90_wh=guess.p90_wh,
        method=guess.method,
        basis=guess.basis,
        prices_usdc_micro_per_mwh=asked.prices_usdc_micro_per_mwh,
        collateral_basis_points=asked.collateral_basis_points,
        collateral_above_basis_points=asked.collateral_above_basis_points,
        remedy=asked.remedy,
        cash_usdc_micro_per_mwh=asked.cash_usdc_micro_per_mwh,
        index=asked.index,
        make_up_until_us=asked.make_up_until_us,
        grace_us=asked.grace_us,
        by=asked.by,
    )
    return terms, segment


def _promise_of(asked: Offer, p50_wh: int) -> tuple[Form, dict[str, Column]]:
    """What is promised, and period by period how much; raises Invalid ``forward.quantity``."""
    said = (asked.quantity_wh, asked.share_basis_points, *(part for row in asked.shape for part in row))
    if sum(map(bool, (asked.quantity_wh, asked.share_basis_points, asked.shape))) != 1 or any(
        not 0 <= one < 2**62 for one in said
    ):
        hint = "A quantity, a share or a shape."
        raise Invalid("forward.quantity", "Say in exactly one way what is promised, above 0.", hint=hint)
    if asked.shape:
        columns = [np.array(column, dtype=np.int64) for column in zip(*asked.shape, strict=True)]
        return Form.SHAPE, dict(zip(("start_us", "stop_us", "energy_wh"), columns, strict=True))
    shared = asked.share_basis_points
    energy_wh = shared * p50_wh // 10_000 if shared else asked.quantity_wh
    form = Form.SHARE if shared else Form.QUANTITY
    if energy_wh >= 2**62:
        raise Invalid("forward.quantity", "No plant yields as much.")
    return form, one_period(asked.start_us, asked.stop_us, energy_wh)


def _promised(world: World, promise: Promise, sale: Sale) -> Entry:
    columns = promised_title(promise, sale, world.books.accounts.id_of(sale.sold.buyer))
    world.books.check_issue(Right.USE, columns)
    segment, terms = Segment(TITLES, columns), promise.offered
    device = world.energy.device_of[world.books.registers.id_of(terms.registers[0])]
    technology = TECHNOLOGIES[int(world.energy.technology[device])]
    window_us = terms.stop_us - terms.start_us
    issued = TitlesIssued(
        segment.ref(), Right.USE, "", technology, Assurance.DECLARED, window_us, sale.sold.quantity_wh
    )
    return Entry(issued, segment)


def _entry(world: World, due: Due, forward: str, period: Period) -> Entry:
    if isinstance(due.about, LinkKind):
        return link_entry(world, due.about, due.columns, period)
    return _moved(world, due.about, due.columns, f"{DELIVERED}: {forward}")


def _moved(world: World, right: Right, columns: Columns, purpose: str) -> Entry:
    world.books.check_moves(right, columns)
    segment = Segment(MOVES, columns)
    state = TITLE_STATES[int(columns["state"][0])]
    return Entry(TitlesMoved(segment.ref(), right, state, purpose, "", quantity_of(columns)), segment)

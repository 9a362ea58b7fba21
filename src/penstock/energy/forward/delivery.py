"""Delivery: of all that a plant issued since the last one, what is due to whom, span by span; nothing changes here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from penstock.energy.forward.price import released_down
from penstock.energy.forward.promise import Promise, escrow_account
from penstock.energy.forward.share_out import due_of_shape, due_of_share, fill, lay, serve
from penstock.journal.cutting import Ints
from penstock.journal.kinds.forward import Form
from penstock.journal.kinds.ledger import Transfer
from penstock.journal.segment import Column, Columns
from penstock.journal.state import Books
from penstock.journal.words import TITLE_STATES, Right, TitleState

HELD: Final = TITLE_STATES.index(TitleState.HELD)
WITHDRAWN: Final = TITLE_STATES.index(TitleState.WITHDRAWN)
SPAN: Final = ("register", "start", "stop")


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """What a delivery comes to: ``spans`` of output (register, start, stop), the promises they fill (promised_start)
    and who is ``holder`` of those; what each sale gets, all output of the window, by period of a shape who got what.
    """

    spans: dict[str, Ints]
    by_sale: Ints
    output_wh: int
    given: Ints
    reached: dict[int, int]
    transfers: tuple[Transfer, ...]

    @property
    def quantity_wh(self) -> int:
        """All that is delivered [Wh]."""
        return int(self.by_sale.sum())


def rights_of(promise: Promise) -> tuple[Right, ...]:
    """What is delivered."""
    return (Right.ATTRIBUTE, Right.ENERGY) if promise.offered.energy else (Right.ATTRIBUTE,)


def plant_registers(books: Books, roots: frozenset[int]) -> list[int]:
    """The registers that begin with these and all that continue them, in order."""
    found = set(roots)
    for register, before in sorted(books.corrections.before().items()):
        if before in found:
            found.add(register)
    return sorted(found)


def plan_delivery(books: Books, promise: Promise, at_us: int) -> Delivery:
    """What is due of all output that was issued since the last delivery, and can be delivered; something was sold."""
    rows, reached = _issued(books, promise)
    output = rows["stop"] - rows["start"]
    free = _deliverable(books, promise, rows, at_us)
    late = rows["interval_us"] >= promise.offered.stop_us
    table = _Table.of(promise, rows, output, free, ~late)
    give, output_wh, given = _in_window(promise, table)
    missing = promise.due(output_wh) - promise.delivered - give.sum(axis=0)
    after = _Table.of(promise, rows, output, free, late, by_interval=True)
    extra = fill(after.free_wh, missing, promise.ranks)
    spans = _laid(books, promise, (table, after), (give, extra))
    by_sale = give.sum(axis=0) + extra.sum(axis=0)
    return Delivery(spans, by_sale, output_wh, given, reached, _released(promise, by_sale))


@dataclass(frozen=True, slots=True, eq=False)
class _Table:
    """Rows of deliverable output sorted into buckets; each bucket's sums: all output, and the deliverable [Wh].

    ``key`` says which interval or period each bucket is.
    """

    rows: dict[str, Column]
    bucket: Ints
    key: Ints
    output_wh: Ints
    free_wh: Ints

    @classmethod
    def of(
        cls, promise: Promise, rows: Columns, output: Ints, free: Ints, mask: Ints, by_interval: bool = False
    ) -> _Table:
        """Rows of ``mask``, by the interval they are of; of a shape by its period, without what is in none."""
        at = rows["interval_us"]
        if promise.offered.form is Form.SHAPE and not by_interval:
            period = np.searchsorted(promise.periods["start_us"], at, side="right") - 1
            inside = (period >= 0) & (at < promise.periods["stop_us"][np.maximum(period, 0)])
            at, mask = period, mask & inside
        key, bucket = np.unique(at[mask], return_inverse=True)
        sums = np.zeros((2, len(key)), dtype=np.int64)
        np.add.at(sums[0], bucket, output[mask])
        np.add.at(sums[1], bucket, np.where(free, output, 0)[mask])
        kept = free[mask]
        picked = {name: column[mask][kept] for name, column in rows.items()}
        order = np.argsort(bucket[kept], kind="stable")
        return cls({name: column[order] for name, column in picked.items()}, bucket[kept][order], key, *sums)


def _in_window(promise: Promise, table: _Table) -> tuple[Ints, int, Ints]:
    """What each sale gets of each bucket of the window; all output of it so far; who got what by period of a shape."""
    output_wh, given = promise.output_wh + int(table.output_wh.sum()), promise.given
    if promise.offered.form is Form.QUANTITY:
        return fill(table.free_wh, promise.sizes - promise.delivered, promise.ranks), output_wh, given
    if promise.offered.form is Form.SHARE:
        due = due_of_share(promise.output_wh, table.output_wh, promise.shares, promise.sizes)
        return serve(table.free_wh, due, promise.ranks), output_wh, given
    due = due_of_shape(promise.periods["energy_wh"], promise.sizes)
    given = given if given.size else np.zeros_like(due)
    give = serve(table.free_wh, (due - given)[table.key], promise.ranks)
    after = given.copy()
    after[table.key] += give
    return give, output_wh, after


def _issued(books: Books, promise: Promise) -> tuple[dict[str, Column], dict[int, int]]:
    """Certificates of the plant since the last delivery, of the window or the time to make up, by interval."""
    titles = books.titles[Right.ATTRIBUTE]
    registers = plant_registers(books, promise.roots)
    reached = {register: titles.head(register) for register in registers if titles.head(register)}
    start = np.array([promise.reached.get(one, 0) for one in reached], dtype=np.int64)
    stop = np.array(list(reached.values()), dtype=np.int64)
    rows = titles.parts(np.array(list(reached), dtype=np.int32), start, stop)
    kept = (rows["interval_us"] >= promise.offered.start_us) & (rows["interval_us"] < promise.until_us)
    kept &= rows["state"] != WITHDRAWN
    rows = {name: column[kept] for name, column in rows.items() if name != "query"}
    order = np.lexsort((rows["start"], rows["register"], rows["interval_us"]))
    return {name: column[order] for name, column in rows.items()}, reached


def _deliverable(books: Books, promise: Promise, rows: Columns, at_us: int) -> Ints:
    """Which rows the seller holds, unused and valid - the energy too, all of it, where that was promised."""
    free: Ints = (rows["state"] == HELD) & (rows["holder"] == promise.seller)
    free &= ~books.expired(rows["lot"], rows["interval_us"], at_us)
    if promise.offered.energy:
        parts = books.titles[Right.ENERGY].parts(*(rows[name] for name in SPAN))
        mine = (parts["state"] == HELD) & (parts["holder"] == promise.seller)
        held = np.zeros(len(free), dtype=np.int64)
        np.add.at(held, parts["query"][mine], (parts["stop"] - parts["start"])[mine])
        free &= held == rows["stop"] - rows["start"]
    return free


def _laid(books: Books, promise: Promise, tables: tuple[_Table, ...], gives: tuple[Ints, ...]) -> dict[str, Ints]:
    """Spans of output and the promises they fill, cut at the titles to both."""
    at = np.array([one.start + one.delivered_wh for one in promise.sales], dtype=np.int64)
    parts = []
    for table, give in zip(tables, gives, strict=True):
        parts.append(lay(table.rows, table.bucket, give, at))
        at = at + give.sum(axis=0)
    laid = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    length = laid["stop"] - laid["start"]
    register = np.full(len(length), promise.register, dtype=np.int32)
    held = books.titles[Right.USE].parts(register, laid["promised_start"], laid["promised_start"] + length)
    start = laid["start"][held["query"]] + held["start"] - laid["promised_start"][held["query"]]
    cut = {"register": laid["register"][held["query"]], "start": start, "stop": start + held["stop"] - held["start"]}
    cut |= {"promised_start": held["start"], "holder": held["holder"]}
    return _cut_at_energy(books, cut) if promise.offered.energy else cut


def _cut_at_energy(books: Books, spans: Columns) -> dict[str, Ints]:
    parts = books.titles[Right.ENERGY].parts(*(spans[name] for name in SPAN))
    query = parts["query"]
    promised = spans["promised_start"][query] + parts["start"] - spans["start"][query]
    return {**{name: parts[name] for name in SPAN}, "promised_start": promised, "holder": spans["holder"][query]}


def _released(promise: Promise, by_sale: Ints) -> tuple[Transfer, ...]:
    """The price of what is delivered leaves escrow for the seller."""
    earned = 0
    for one, more in zip(promise.sales, by_sale.tolist(), strict=True):
        reach = released_down(one.sold.cost_usdc_micro, one.delivered_wh + more, one.sold.quantity_wh)
        earned += reach - one.released_usdc_micro
    if not earned:
        return ()
    return (Transfer(escrow_account(promise.name), promise.offered.seller, earned, "output delivered"),)

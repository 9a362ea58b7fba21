"""Redeem spent: answers that credits paid for use those credits up in the record; their dollars wait in escrow there.

A row paid from a class of credits brings no dollars: those came when the credits were sold. So the row is in no bill,
and the tokens that it took (the request that it answered) redeem the holder's credits instead. Whole credits are
redeemed, report by report; what does not fill one in a report stays the holder's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from penstock.compute.work import CREDIT, WorkReport
from penstock.errors import Conflict, NotFound
from penstock.journal.cutting import positions_of
from penstock.journal.segment import Column
from penstock.journal.words import Unit
from penstock.usecases.compute.redeem_credits import Redeem
from penstock.usecases.world import World

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Spenders:
    """Under which names the record knows classes of credits (their 32 bytes on chain) and holders (their 20)."""

    classes: Mapping[bytes, str] = field(default_factory=dict)
    holders: Mapping[bytes, str] = field(default_factory=dict)

    def names(self, class_id: bytes, holder: bytes) -> tuple[str, str]:
        """Class and account. Raises NotFound ``work.credit_unknown``."""
        if class_id not in self.classes or holder not in self.holders:
            said = f"--credit 0x{class_id.hex()}=CLASS --holder 0x{holder.hex()}=ACCOUNT"
            raise NotFound("work.credit_unknown", "An answer was paid by credits unknown here.", hint=f"Say {said}.")
        return self.classes[class_id], self.holders[holder]


def spent_rows(report: WorkReport) -> Column:
    """Which rows a class of credits paid for; prepaid dollars are spent under the class of 32 zero bytes."""
    by_class: Column = (report.sales["scheme"] == CREDIT) & report.sales["tx"].any(axis=1)
    return by_class


def redeem_spent(world: World, report: WorkReport, spenders: Spenders) -> list[Redeem]:
    """What a recorded report redeems, a class and holder (for requests, a run of answers) at a time, in order.

    Raises:
        NotFound: ``work.credit_unknown``, ``credit.unknown_class``. Conflict: ``work.later`` where the rack's next
        report is recorded already.
    """
    rows = np.flatnonzero(spent_rows(report))
    if not len(rows):
        return []
    told = world.work.told.get(report.rack)
    if told is None or told.stop_us != report.period.stop_us:
        raise Conflict("work.later", "Credits are redeemed before the next report is recorded.", rack=report.rack)
    tokens = report.rows["prompt_tokens"] + report.rows["output_tokens"]
    register = world.books.registers.id_of(world.compute.racks[report.rack].token_register)
    at = positions_of(tokens, int(world.books.registers.read[register]) - int(tokens.sum()))
    found = []
    for (class_id, holder), mine in _by_holder(report, rows).items():
        credit_class, account = spenders.names(class_id, holder)
        terms = world.capacity.credits.named(credit_class).terms
        cuts = _answers(mine, at) if terms.unit is Unit.REQUESTS else [_tokens(mine, at, terms.units_per_credit)]
        for count, sources, answers in cuts:
            whole = count // terms.units_per_credit
            if whole:
                answered = answers[: whole * terms.units_per_credit + 1]
                found.append(Redeem(credit_class, account, whole, report.root, report.period, sources, answered))
    return found


def _by_holder(report: WorkReport, rows: Column) -> dict[tuple[bytes, bytes], Column]:
    """Rows by class and holder, in order of their first answer."""
    keys = np.concatenate([report.sales["tx"], report.sales["payer"]], axis=1)[rows]
    _, first, slot = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    found = {}
    for place in np.argsort(first):
        key = keys[first[place]].tobytes()
        found[key[:32], key[32:]] = rows[slot.reshape(-1) == place]
    return found


def _tokens(mine: Column, at: Column, per_credit: int) -> tuple[int, tuple[Span, ...], tuple[int, ...]]:
    """Token spans of whole credits, the last one cut."""
    start, stop = at[mine], at[mine + 1]
    total = int((stop - start).sum())
    left, spans = total // per_credit * per_credit, []
    for begin, end in zip(start.tolist(), stop.tolist(), strict=True):
        if taken := min(end - begin, left):
            spans.append((begin, begin + taken))
            left -= taken
    return total, tuple(spans), ()


def _answers(mine: Column, at: Column) -> Iterator[tuple[int, tuple[Span, ...], tuple[int, ...]]]:
    """Runs of answers that follow each other, each with the token positions between them."""
    for run in np.split(mine, np.flatnonzero(np.diff(mine) > 1) + 1):
        yield len(run), (), tuple(at[run[0] : run[-1] + 2].tolist())

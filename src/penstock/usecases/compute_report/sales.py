"""Sales: what was sold and for how much, by hour, model, rack, site and scheme; and whom the dollars went to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from penstock.capital.serviced import FLAGS
from penstock.journal.kinds.compute import CreditsRedeemed
from penstock.journal.kinds.ledger import Transfer
from penstock.journal.kinds.servicing import CollectionsMatched, Flag
from penstock.journal.kinds.work import SalesCollected
from penstock.journal.segment import Columns
from penstock.period import HOUR_US, iso
from penstock.usecases.compute_report.work import HOURS_MAX, site_of
from penstock.usecases.fleet import segment_of
from penstock.usecases.servicing import collect
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

Row = dict[str, Any]
SCHEMES: Final = ("exact", "upto", "credit")
"""By the code in ``sale/1``."""
REDEEMED: Final = "credit"
COLLECTED: Final = collect.PURPOSE


def sales(workspace: Workspace) -> Row:
    """Everything sold: totals [micro-dollars], by hour, model, rack, site and scheme, and whom it paid.

    Answers paid for one by one come from `SalesCollected`, credits used up from `CreditsRedeemed`; neither is counted
    in the other, as a collection of credits is told by its scheme.
    """
    collected, redeemed = _told(workspace)
    told = [_interval(one) for one in collected]
    told += workspace.read(lambda world: [_redemption(world, one) for one in redeemed])
    sites = workspace.read(lambda world: {one.rack: site_of(world, one) for one in world.compute.racks.values()})
    return {
        "paid_usdc_micro": sum(one["paid_usdc_micro"] for one in told),
        "answers": sum(one["answers"] for one in told),
        "by_model": _by(told, lambda one: one["model"]),
        "by_rack": _by(told, lambda one: one["rack"]),
        "by_site": _by(told, lambda one: sites.get(one["rack"], "")),
        "by_scheme": _schemes(collected, told),
        "by_hour": _hours(collected),
        "paid_to": paid_to(workspace, _transfers(workspace)),
        "flagged": flagged(workspace, {f"{one.fact.rack}/{one.fact.start_us}" for one in collected}),
        "sales": told[-HOURS_MAX:],
    }


@dataclass(frozen=True, slots=True, eq=False)
class Collected:
    """A fact of sales with its rows."""

    seq: int
    fact: SalesCollected
    columns: Columns


@dataclass(frozen=True, slots=True)
class Redeemed:
    """A fact of credits used up, and when it was recorded [us]."""

    seq: int
    fact: CreditsRedeemed
    at_us: int


def _told(workspace: Workspace) -> tuple[list[Collected], list[Redeemed]]:
    collected, redeemed = [], []
    for row in workspace.facts():
        match row.recorded.fact:
            case SalesCollected() as fact:
                collected.append(Collected(row.recorded.seq, fact, segment_of(workspace, row)))
            case CreditsRedeemed() as fact:
                redeemed.append(Redeemed(row.recorded.seq, fact, row.recorded.at_us))
    return collected, redeemed


def _interval(one: Collected) -> Row:
    fact = one.fact
    return {
        "seq": one.seq,
        "start": iso(fact.start_us),
        "stop": iso(fact.stop_us),
        "provider": fact.provider,
        "rack": fact.rack,
        "model": fact.model,
        "scheme": "",
        "answers": fact.answers,
        "paid_usdc_micro": fact.paid_usdc_micro,
        "bill": fact.bill.hex(),
    }


def _redemption(world: World, one: Redeemed) -> Row:
    terms = world.compute.book(one.fact.credit_class).terms
    return {
        "seq": one.seq,
        "start": iso(one.at_us),
        "stop": iso(one.at_us),
        "provider": terms.provider,
        "rack": rack_of(world, one.fact),
        "model": terms.model,
        "scheme": REDEEMED,
        "answers": 0,  # credits are used up by units, whatever number of answers they make
        "paid_usdc_micro": sum(move.usdc_micro for move in one.fact.transfers),
        "bill": one.fact.work_root.hex(),
    }


def rack_of(world: World, redeemed: CreditsRedeemed) -> str:
    """The rack whose work filled credits: the one that backs them, or the only one; empty where it is not known."""
    backing = world.compute.book(redeemed.credit_class).terms.backing_rack
    return backing or (next(iter(world.compute.racks)) if len(world.compute.racks) == 1 else "")


def _by(told: list[Row], key: Any) -> list[Row]:
    """Dollars and answers by a name, most dollars first."""
    paid, answers = Counter[str](), Counter[str]()
    for one in told:
        paid[key(one)] += one["paid_usdc_micro"]
        answers[key(one)] += one["answers"]
    return [{"name": name, "paid_usdc_micro": sum_, "answers": answers[name]} for name, sum_ in paid.most_common()]


def _schemes(collected: list[Collected], told: list[Row]) -> list[Row]:
    """By how it was paid: the scheme of each answer, and credits used up."""
    rows = [{"name": one["scheme"], **one} for one in told if one["scheme"]]
    for columns in (one.columns for one in collected):
        for code, name in enumerate(SCHEMES):
            mine = columns["scheme"] == code
            if mine.any():
                rows.append(
                    {
                        "name": name,
                        "paid_usdc_micro": int(columns["paid_usdc_micro"][mine].sum()),
                        "answers": int(mine.sum()),
                    }
                )
    return _by(rows, lambda one: one["name"])


def _hours(collected: list[Collected]) -> list[Row]:
    """The last hours in which answers were paid for, oldest first."""
    if not collected:
        return []
    at_us = np.concatenate([one.columns["at_us"] for one in collected])
    paid = np.concatenate([one.columns["paid_usdc_micro"] for one in collected])
    hour, slot = np.unique(at_us // HOUR_US, return_inverse=True)
    sums = np.zeros((len(hour), 2), dtype=np.int64)
    np.add.at(sums, slot, np.stack([paid, np.ones_like(paid)], axis=1))
    first = max(len(hour) - HOURS_MAX, 0)
    return [
        {"hour": iso(int(hour[row]) * HOUR_US), "paid_usdc_micro": int(sums[row, 0]), "answers": int(sums[row, 1])}
        for row in range(first, len(hour))
    ]


def paid_to(workspace: Workspace, transfers: Iterable[tuple[Transfer, ...]]) -> list[Row]:
    """Which accounts the dollars of sales reached, most first; ``deal`` where the account is a deal's."""
    sums = Counter[str]()
    for one in (one for several in transfers for one in several):
        if one.purpose != COLLECTED:
            sums[one.target] += one.usdc_micro
        elif passed := min(sums[one.source], one.usdc_micro):  # from where sales came in, on to a deal
            sums[one.source] -= passed
            sums[one.target] += passed
    deals = workspace.read(lambda world: tuple(world.capital.deals))
    return [
        {"account": name, "deal": _deal_of(name, deals), "paid_usdc_micro": amount}
        for name, amount in sums.most_common()
        if amount
    ]


def flagged(workspace: Workspace, references: Collection[str]) -> list[Row]:
    """Dollars of sales that a deal counts as its own money come round: paid by its sponsor, or by whom it paid."""
    sums = Counter[str]()
    for row in workspace.facts():
        fact = row.recorded.fact
        if isinstance(fact, CollectionsMatched) and fact.reference in references:
            columns = segment_of(workspace, row)
            for code, flag in enumerate(FLAGS):
                sums[flag.value] += int(columns["usdc_micro"][columns["flag"] == code].sum())
    return [
        {"flag": name, "paid_usdc_micro": amount}
        for name, amount in sums.most_common()
        if amount and name != Flag.NONE.value
    ]


def _deal_of(account: str, deals: tuple[str, ...]) -> str:
    name, slash, _ = account.rpartition("/")
    return name if slash and name in deals else ""


def _transfers(workspace: Workspace) -> Iterator[tuple[Transfer, ...]]:
    """The transfers of sales, and those by which a deal collected what its assets sold; in order."""
    for row in workspace.facts():
        if isinstance(row.recorded.fact, SalesCollected | CreditsRedeemed | CollectionsMatched):
            yield row.recorded.fact.transfers

"""Build a look-through: a holding's part of every asset, by every attribute, and of what each register counted."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from penstock.capital.deal_book import DealRecord
from penstock.capital.exact import period_bounds
from penstock.capital.pooled import Ints
from penstock.errors import Invalid, NotFound, Unverified
from penstock.journal.cutting import cut_down
from penstock.journal.kinds.capital import IncomeWithdrawn, PeriodClosed
from penstock.period import SECOND_US, Period, iso
from penstock.usecases.look_through.claim import Claims, Holding, claims_of, holding, intervals
from penstock.usecases.look_through.collateral import BY, Collateral, asset_facts, collateral_of
from penstock.usecases.look_through.readings import Counted, counted
from penstock.usecases.look_through.share import by_name, share_of
from penstock.usecases.originate import recompile
from penstock.usecases.report_247.build import as_of
from penstock.usecases.report_247.evidence import check_evidence, evidence
from penstock.usecases.workspace import Workspace

FORM: Final = "penstock-look-through/1"
RESTS_ON: Final = {"claims": ("deal", "close"), "assets": ("assets",), "readings": ("readings",)}
Told = dict[str, Any]
Position = tuple[str, int, int]
"""Tranche, shares, the first of them (-1: behind the position before it)."""


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """A look-through: as JSON in ``told``; each asset's part as columns beside the assets."""

    told: Told
    assets: Collateral
    parts: Ints
    held: Holding
    claims: Claims


def look_through(
    workspace: Workspace, deal: str, positions: Sequence[Position], *, readings: bool = True, shown: int = 1_000
) -> Made:
    """What a holding comes to after the deal's last close; the ``shown`` largest assets are told one by one.

    Raises:
        NotFound: ``deal.unknown``, ``look_through.no_tranche``, ``look_through.no_assets``. Invalid: as `holding`.
    """
    size = workspace.read(lambda world: world.books.size)
    record = workspace.read(lambda world: world.capital.deal(deal))
    terms, program = recompile(record.originated)
    assets = workspace.read(lambda world: collateral_of(world, deal))
    if not len(assets):
        raise NotFound(
            "look_through.no_assets", "No asset is pledged to this deal.", hint="Pool assets first.", deal=deal
        )
    claims = claims_of(record, terms, program, int(assets.balance.sum()))
    held = holding(claims, positions)
    start, stop = intervals(claims, held)
    weight = amounts_of(assets, claims)
    parts = share_of(weight, start, stop, claims.whole)
    period = _last_period(record, program.code, program.rows)
    meters = counted(workspace, assets.registers, period, size) if readings else counted(workspace, (), period, size)
    told = {
        "look_through": FORM,
        "deal": deal,
        "asked": {"positions": _plain(held), "readings": readings, "shown": shown},
        "facts": size,
        "closed_periods": len(record.closed),
        "readings_from": iso(period.start_us),
        "readings_to": iso(period.stop_us),
        "holding": _held(claims, held, start, stop),
        "basis": _basis(assets),
        "pool_usdc_micro": int(weight.sum()),
        "part_usdc_micro": int(parts.sum()),
        "assets": _assets(assets, weight, parts, shown),
        "assets_total": len(assets),
        "by": {name: _by(assets.texts[name], parts, weight) for name in BY if name != "asset"},
        "readings": _readings(meters, assets, start, stop, claims.whole, shown),
        "evidence": evidence(workspace, size, _groups(workspace, deal, size, meters), RESTS_ON),
    }
    return Made(told, assets, parts, held, claims)


def _plain(held: Holding) -> list[list[str | int]]:
    """Positions as they can be asked for again."""
    rows = zip(held.tranche, held.shares.tolist(), held.first.tolist(), strict=True)
    return [[tranche, shares, first] for tranche, shares, first in rows]


def check_look_through(said: Mapping[str, Any], workspace: Workspace | None = None) -> Told:
    """Check a look-through (its JSON): proofs offline; with the workspace, every part by making it again as of then.

    Raises:
        Invalid: ``look_through.malformed``. Unverified: ``report.evidence``; ``look_through.differs``.
    """
    size = said.get("facts")
    if said.get("look_through") != FORM or type(size) is not int or not isinstance(said.get("evidence"), Mapping):
        raise _malformed()
    answer: Told = {"facts_proven": check_evidence(said["evidence"]), "root": said["evidence"].get("root")}
    if workspace is None:
        return answer | {"made_again": False}
    if not 0 < size <= workspace.store.size():
        raise _malformed()
    try:
        asked = said["asked"]
        positions = [(str(tranche), int(shares), int(first)) for tranche, shares, first in asked["positions"]]
        readings, shown, deal = bool(asked["readings"]), int(asked["shown"]), str(said["deal"])
    except (TypeError, KeyError, ValueError) as error:
        raise _malformed() from error
    again = look_through(as_of(workspace, size), deal, positions, readings=readings, shown=shown).told
    wrong = sorted(name for name in again.keys() | said.keys() if again.get(name) != said.get(name))
    if wrong:
        sentence = f"Made again, the look-through differs in: {', '.join(wrong)}."
        raise Unverified("look_through.differs", sentence, hint="Do not rely on it.")
    return answer | {"made_again": True}


def _malformed() -> Invalid:
    return Invalid("look_through.malformed", "This is not a look-through of this workspace.")


def _last_period(record: DealRecord, code: bytes, rows: bytes) -> Period:
    """The last closed period; before the first close, the first."""
    number = record.closed[-1].period if record.closed else 0
    start_s, stop_s = period_bounds(code, number, rows)
    return Period(start_s * SECOND_US, stop_s * SECOND_US)


def _basis(assets: Collateral) -> str:
    """What amounts are of: the assets' balances or values, or, where they have neither, the claims on them."""
    return "balance" if assets.balance.any() else "value" if assets.value.any() else "claims"


def amounts_of(assets: Collateral, claims: Claims) -> Ints:
    """What is shared out of each asset [micro-dollars]; claims are laid over assets without amounts evenly."""
    weight = assets.weight
    return weight if _basis(assets) != "claims" else np.diff(cut_down(claims.whole, weight))


def _held(claims: Claims, held: Holding, start: Ints, stop: Ints) -> Told:
    """The holding by tranche: its shares, its claim, what stands before it."""
    names = list(dict.fromkeys(held.tranche))
    of = np.array([names.index(name) for name in held.tranche])
    shares, claim = (np.bincount(of, minlength=len(names)) * 0 for _ in range(2))
    np.add.at(shares, of, held.shares)
    np.add.at(claim, of, stop - start)
    rows = [
        {
            "tranche": name,
            "positions": int((of == at).sum()),
            "shares": int(shares[at]),
            "supply": claims.supply[name],
            "claim_usdc_micro": int(claim[at]),
            "tranche_usdc_micro": claims.stops.get(name, 0) - claims.starts.get(name, 0),
            "ahead_usdc_micro": claims.starts.get(name, 0),
        }
        for at, name in enumerate(names)
    ]
    return {
        "positions": len(held.tranche),
        "claim_usdc_micro": int(claim.sum()),
        "claims_usdc_micro": claims.whole,
        "tranches": rows,
    }


def _assets(assets: Collateral, weight: Ints, parts: Ints, shown: int) -> list[Told]:
    order = np.lexsort((np.arange(len(parts)), -parts))[:shown].tolist()
    return [
        {name: assets.texts[name][at] for name in BY}
        | {"related": bool(assets.related[at]), "usdc_micro": int(weight[at]), "part_usdc_micro": int(parts[at])}
        for at in order
    ]


def _by(names: Sequence[str], parts: Ints, weight: Ints) -> list[Told]:
    return [
        {"name": name, "assets": rows, "part_usdc_micro": part, "usdc_micro": amount}
        for name, (part, amount), rows in by_name(names, parts, weight)
    ]


def _readings(meters: Counted, assets: Collateral, start: Ints, stop: Ints, whole: int, shown: int) -> list[Told]:
    """Each register's span in the period, and how many of its units are the holding's."""
    parts = share_of(meters.stop - meters.start, start, stop, whole)
    rows = zip(meters.register, meters.asset.tolist(), meters.unit, meters.start.tolist(), meters.stop.tolist(),
               parts.tolist(), strict=True)  # fmt: skip
    return [
        {"register": urn, "asset": assets.texts["asset"][at], "unit": unit, "start": low, "stop": high, "part": part}
        for urn, at, unit, low, high, part in list(rows)[:shown]
    ]


def _groups(workspace: Workspace, deal: str, size: int, meters: Counted) -> dict[str, list[int]]:
    closes, founding = [], []
    for row in workspace.facts(0, size):
        fact = row.recorded.fact
        if getattr(fact, "deal", "") == deal:
            if isinstance(fact, PeriodClosed):
                closes.append(row.recorded.seq)
            elif fact.KIND in ("deal.originated", "deal.launched", "deal.amended"):
                founding.append(row.recorded.seq)
    return {
        "deal": founding,
        "close": closes[-1:],
        "assets": asset_facts(workspace, deal, size),
        "readings": meters.facts,
    }


def holder_positions(workspace: Workspace, deal: str, holder: str) -> list[Position]:
    """What somebody held when its tranches' income was last taken: positions by order of the holders then.

    Raises:
        NotFound: ``account.unknown``, ``look_through.no_holding``.
    """
    number = workspace.read(lambda world: world.books.accounts.id_of(holder))
    found: dict[str, Position] = {}
    for row in workspace.facts():
        fact = row.recorded.fact
        if isinstance(fact, IncomeWithdrawn) and fact.deal == deal:
            columns = workspace.columns(row) or {}
            mine = np.flatnonzero(columns["holder"] == number)
            if len(mine):
                at = int(mine[0])
                first = int(columns["shares"][:at].sum())
                found[fact.tranche] = fact.tranche, int(columns["shares"][at]), first
    if not found:
        hint = "Name a tranche and shares instead."
        raise NotFound("look_through.no_holding", f"{holder} took no income of {deal} yet.", hint=hint, holder=holder)
    return list(found.values())


def positions_of_csv(text: str) -> list[Position]:
    """Positions from CSV with the heads ``tranche,shares``, and ``first`` where they do not follow each other.

    Raises:
        Invalid: ``look_through.csv``.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(text), strict=True))
        return [(row["tranche"], int(row["shares"]), int(row.get("first") or -1)) for row in rows]
    except (csv.Error, KeyError, TypeError, ValueError) as error:
        hint = "Heads: tranche,shares; whole numbers."
        raise Invalid("look_through.csv", "These are no positions.", hint=hint) from error

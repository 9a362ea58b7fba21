"""The assets behind a deal at a moment, in columns: from the book of servicing, as of a tape or as they stand now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from penstock.capital.asset_fields import ASSET_KINDS, NO_TECHNOLOGY
from penstock.capital.pool_value import DEFAULTED_DAYS, DELINQUENT_DAYS
from penstock.capital.pooled import Ints, Pooled
from penstock.capital.serviced import Serviced, Tape
from penstock.journal.fact import FactBody
from penstock.journal.kinds.capital import DealOriginated
from penstock.journal.kinds.servicing import AssetKind, AssetsPooled, AssetsReleased, AssetsReported
from penstock.journal.words import ASSURANCES, TECHNOLOGIES
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

UNKNOWN: Final = "unknown"
PARTIES: Final = ("contract", "offtaker", "obligor", "region")
BY: Final = ("asset", *PARTIES, "kind", "technology", "assurance", "standing")
"""What a look-through can be summed by."""


@dataclass(frozen=True, slots=True, eq=False)
class Collateral:
    """A deal's assets, a row each: texts by attribute (`BY`), registers, amounts as columns [micro-dollars].

    Attributes:
        period: of the tape they stand on; -1 where none says how they stand.
    """

    texts: dict[str, list[str]]
    registers: list[tuple[str, ...]]
    related: Ints
    balance: Ints
    value: Ints
    past_due_days: Ints
    written_off: Ints
    period: int = -1

    def __len__(self) -> int:
        return len(self.registers)

    @property
    def weight(self) -> Ints:
        """How much each asset weighs in the pool: balances; else values; else one each, where assets have neither."""
        for column in (self.balance, self.value):
            if column.any():
                return column
        return np.ones(len(self), dtype=np.int64)


def collateral_of(world: World, deal: str, period: int | None = None) -> Collateral:
    """The assets of a deal: as of the last tape up to ``period``, or (None, or no such tape) as they stand now.

    Raises:
        NotFound: ``deal.unknown``.
    """
    record, book = world.capital.deal(deal), world.capital.servicing
    if deal not in book.deals or (not len(book.assets.live(deal)) and not book.deals[deal].tapes):
        return _named_alone(world, record.originated)
    tape = None if period is None else _tape(book.deals[deal], period)
    return _as_of(book.assets, tape) if tape else _now(book.assets, book.assets.live(deal))


def _tape(serviced: Serviced, period: int) -> Tape | None:
    known = [number for number in serviced.tapes if number <= period]
    return serviced.tapes[max(known)] if known else None


def _as_of(assets: Pooled, tape: Tape) -> Collateral:
    off, disputed = tape.written_off_usdc_micro, tape.disputed_usdc_micro
    columns = (tape.balance_usdc_micro, tape.past_due_days, off, disputed)
    return _collateral(assets, tape.asset, columns, tape.period)


def _now(assets: Pooled, rows: Ints) -> Collateral:
    names = ("balance_usdc_micro", "past_due_days", "written_off_usdc_micro", "disputed_usdc_micro")
    balance, days, off, disputed = (assets[name][rows].astype(np.int64) for name in names)
    return _collateral(assets, rows, (balance, days, off, disputed), -1)


def _collateral(assets: Pooled, rows: Ints, stand: tuple[Ints, Ints, Ints, Ints], period: int) -> Collateral:
    balance, days, off, disputed = stand
    texts = {"asset": [assets.names[row] for row in rows.tolist()]}
    for party in PARTIES:
        names = assets.parties[party]
        texts[party] = [names.name(one) or UNKNOWN for one in assets[party][rows].tolist()]
    texts["kind"] = [ASSET_KINDS[code].value for code in assets["kind"][rows].tolist()]
    texts["technology"] = [_technology(code) for code in assets["technology"][rows].tolist()]
    texts["assurance"] = [ASSURANCES[code].value for code in assets["assurance"][rows].tolist()]
    late = zip(off.tolist(), disputed.tolist(), days.tolist(), strict=True)
    texts["standing"] = [_standing(*one) for one in late]
    return Collateral(
        texts=texts,
        registers=[assets.registers[row] for row in rows.tolist()],
        related=assets["related"][rows].astype(np.int64),
        balance=balance,
        value=assets["value_usdc_micro"][rows].astype(np.int64),
        past_due_days=days,
        written_off=off,
        period=period,
    )


def _technology(code: int) -> str:
    return "none" if code == NO_TECHNOLOGY else TECHNOLOGIES[code].value


def _standing(written_off: int, disputed: int, past_due_days: int) -> str:
    if written_off or past_due_days > DEFAULTED_DAYS:
        return "defaulted"
    if disputed:
        return "disputed"
    return "delinquent" if past_due_days > DELINQUENT_DAYS else "performing"


def _named_alone(world: World, originated: DealOriginated) -> Collateral:
    """Assets that a deal names at its origination alone: a row each, with what other wings know of them."""
    known = [_known(world, asset) for asset in originated.assets]
    texts = {name: [one.get(name, UNKNOWN) for one in known] for name in BY}
    registers = [tuple(one["registers"].split()) if "registers" in one else () for one in known]
    none = np.zeros(len(known), dtype=np.int64)
    return Collateral(texts, registers, none, none, none, none, none)


def _known(world: World, asset: str) -> dict[str, str]:
    """What the record knows of an asset by its name: a rack's contract, operator, registers."""
    rack, said = world.compute.racks.get(asset), {"asset": asset, "standing": "performing"}
    if rack is None:
        return said
    credit = [name for name, book in world.compute.credits.items() if book.terms.provider == rack.operator]
    return said | {
        "contract": credit[0] if credit else UNKNOWN,
        "obligor": rack.operator,
        "kind": AssetKind.GPU_CONTRACT.value,
        "technology": "rack",
        "assurance": ASSURANCES[0].value,
        "registers": f"{rack.import_register} {rack.token_register}",
    }


def asset_facts(workspace: Workspace, deal: str, size: int, period: int | None = None) -> list[int]:
    """The numbers of the facts that say which assets a deal holds and how they stand up to ``period``."""
    found: list[int] = []
    tape = -1
    for row in workspace.facts(0, size):
        fact = row.recorded.fact
        if not _of(fact, deal):
            continue
        if isinstance(fact, AssetsReported):
            tape = row.recorded.seq if period is None or fact.period <= period else tape
        else:
            found.append(row.recorded.seq)
    return sorted([*found, tape]) if tape >= 0 else found


def _of(fact: FactBody, deal: str) -> bool:
    return isinstance(fact, AssetsPooled | AssetsReleased | AssetsReported | DealOriginated) and fact.deal == deal

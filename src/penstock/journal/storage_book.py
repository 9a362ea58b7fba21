"""Storages: their registers, what they lose, and their charge and discharge records, folded from facts.

Records follow each other on the charge register and on the discharge register. Which charge a discharge rests on is
nobody's choice: it follows from the records and the efficiency (`fifo`), and is checked when a fact is applied.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Refused
from penstock.journal import storage_rules
from penstock.journal.cutting import positions_of
from penstock.journal.fifo import Charge, Draw, Standing, draw
from penstock.journal.formats import LINKS
from penstock.journal.growing import Growing, Layout
from penstock.journal.kinds.storage import (
    EfficiencyStated,
    StorageCharged,
    StorageClosed,
    StorageDischarged,
    StorageRecordsWithdrawn,
    StorageRegistered,
)
from penstock.journal.links import LinkBook
from penstock.journal.lots import Lots
from penstock.journal.names import Names
from penstock.journal.register import Accounts, Registers, grown
from penstock.journal.segment import Columns
from penstock.journal.titles import TitleBook
from penstock.journal.words import Direction, LinkKind, Right

Ints = NDArray[Any]
NONE: Final = -1
"""No lot, no charge record: no certificate is behind it."""
_RECORD: Final = {
    "storage": Layout("int32"),
    "register": Layout("int32"),
    "start": Layout("int64"),
    "stop": Layout("int64"),
    "interval_us": Layout("int64"),
    "length_us": Layout("int64"),
    "assurance": Layout("uint8"),
    "withdrawn": Layout("bool"),
}
_CHARGE: Final = {**_RECORD, "lot": Layout("int32", NONE)}
_DISCHARGE: Final = {**_RECORD, "charge": Layout("int64", NONE)}


@dataclass(slots=True)
class Storage:
    """One storage: what its fact says, its present registers by number, and how far it is.

    ``drawn_from`` is the stated efficiency that ``standing`` is counted under, -1 before the first.
    """

    fact: StorageRegistered
    number: int
    operator: int
    charge: int
    discharge: int
    loss: int
    closed: bool = False
    standing: Standing = field(default_factory=Standing)
    drawn_from: int = NONE
    efficiencies: tuple[EfficiencyStated, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Discharge:
    """What discharges come to: records (columns of ``discharge/1``), links of *store*, how far it is then."""

    records: Columns
    links: Columns
    drawn: int
    lost: int
    standing: Standing
    drawn_from: int


class Storages:
    """All storages. Records are numbered in the order they came, charges and discharges apart."""

    def __init__(
        self,
        registers: Registers,
        accounts: Accounts,
        titles: Mapping[Right, TitleBook],
        lots: Lots,
        links: Mapping[LinkKind, LinkBook],
    ) -> None:
        self.registers, self.accounts, self.titles, self.lots, self.links = registers, accounts, titles, lots, links
        self.names = Names("storage")
        self.all: list[Storage] = []
        self.charges, self.discharges = Growing(_CHARGE), Growing(_DISCHARGE)
        self._of = np.zeros(16, dtype=np.int32)  # by register: its storage's number and 1, 0 for none
        self._gives = np.zeros(16, dtype=bool)  # by register: whether a storage is discharged on it
        self._filled = np.zeros(16, dtype=np.int64)  # by register: how far links of *store* fill it
        self._due: dict[int, Columns] = {}

    def __len__(self) -> int:
        return len(self.all)

    def named(self, name: str) -> Storage:
        """A storage; NotFound ``storage.unknown``."""
        return self.all[self.names.id_of(name)]

    def storage_of(self, register: Ints) -> Ints:
        """The number of the storage that each register belongs to, -1 for none."""
        known = (register >= 0) & (register < len(self._of))
        return np.where(known, self._of[np.where(known, register, 0)], 0) - 1

    def gives(self, registers: int) -> NDArray[np.bool_]:
        """Which registers count what a storage discharged, by number."""
        return grown(self._gives, registers)[:registers].copy()

    def limit(self, limit: Ints) -> None:
        """Where storages are discharged, bring ``limit`` down to what links of *store* have filled."""
        gives = self.gives(len(limit))
        limit[gives] = np.minimum(limit[gives], grown(self._filled, len(limit))[: len(limit)][gives])

    def records(self, storage: Storage, direction: Direction) -> Columns:
        """A storage's records in order, with their ``number``; lots and charges as they were recorded."""
        table = self.charges if direction is Direction.CHARGE else self.discharges
        rows = np.flatnonzero(table["storage"] == storage.number)
        named = "lot" if direction is Direction.CHARGE else "charge"
        return {"number": rows, **{name: table[name][rows] for name in (*_RECORD, named)}}

    def plan(self, storage: Storage, rows: Columns, surplus: bool = False) -> Discharge:
        """What discharges of whole intervals (register, start, stop, interval_us, assurance) come to, in order.

        Raises:
            Refused: ``storage.no_efficiency``, ``storage.beyond_charge`` unless ``surplus`` lets what no charge
            supports stand without origin.
        """
        parts, standing, drawn_from = [], storage.standing, storage.drawn_from
        held = self.records(storage, Direction.CHARGE)
        charge = Charge(positions_of(held["stop"] - held["start"]), held["interval_us"])
        number = storage_rules.efficiency_of(storage.efficiencies, rows["interval_us"])
        for first, stop in storage_rules.runs(number):
            run = {name: column[first:stop] for name, column in rows.items()}
            stated = int(number[first])
            if stated == NONE:
                storage_rules.check_surplus(surplus, storage.fact.storage)
                parts.append(storage_rules.unsupported(run))
                continue
            if stated != drawn_from:
                standing = replace(standing, base_in=standing.drawn, base_out=standing.given)
                drawn_from = stated
            rate, size = storage.efficiencies[stated], run["stop"] - run["start"]
            drawn = draw(charge, standing, rate.num, rate.den, size, run["interval_us"])
            storage_rules.check_supported(surplus, storage.fact.storage, run, drawn)
            parts.append(_pieces(storage, held, run, drawn, standing.lost))
            standing = drawn.standing
        records, links = (storage_rules.joined(pair) for pair in zip(*parts, strict=True))
        drawn_wh, lost_wh = standing.drawn - storage.standing.drawn, standing.lost - storage.standing.lost
        return Discharge(records, links, drawn_wh, lost_wh, standing, drawn_from)

    def check(self, fact: object, columns: Columns | None = None) -> None:
        """That a fact of a storage may stand; raises as `storage_rules`."""
        _CHECKS[type(fact)](self, fact, columns or {})

    def apply(self, fact: object, columns: Columns | None = None) -> None:
        """Fold a fact, checked once more."""
        self.check(fact, columns)
        _FOLDS[type(fact)](self, fact, columns or {})

    def take_links(self, links: Columns) -> None:
        """Links of *store* that touch a storage are those that its discharge records call for, no others.

        Raises:
            Refused: ``storage.links``.
        """
        touched = np.unique(np.append(self.storage_of(links["source"]), self.storage_of(links["target"])))
        touched = touched[touched >= 0]
        if not len(touched):
            return
        due = self._due.get(int(touched[0]))
        if len(touched) > 1 or due is None or any(not np.array_equal(links[name], due[name]) for name in links):
            raise Refused("storage.links", "These are not the links that the discharge records call for.")
        del self._due[int(touched[0])]
        self._filled = grown(self._filled, int(links["target"].max()) + 1)
        np.maximum.at(self._filled, links["target"], links["target_stop"])

    @property
    def unlinked(self) -> tuple[int, ...]:
        """Storages whose last discharge records have no links yet."""
        return tuple(self._due)

    def follow(self, register: int, predecessor: int) -> None:
        """``register`` continues another: a storage's records go on there."""
        number = int(self.storage_of(np.array([predecessor]))[0])
        if number >= 0:
            one = self.all[number]
            one.charge = register if one.charge == predecessor else one.charge
            one.discharge = register if one.discharge == predecessor else one.discharge
            self._belongs(one)

    def _register(self, fact: StorageRegistered, _: Columns) -> None:
        number = self.names.add(fact.storage)
        urns = (fact.charge_register, fact.discharge_register, fact.loss_register)
        charge, discharge, loss = (self.registers.id_of(urn) for urn in urns)
        self.all.append(Storage(fact, number, self.accounts.id_of(fact.operator), charge, discharge, loss))
        self._belongs(self.all[-1])

    def _belongs(self, storage: Storage) -> None:
        most = max(storage.charge, storage.discharge, storage.loss) + 1
        self._of, self._gives = grown(self._of, most), grown(self._gives, most)
        self._of[[storage.charge, storage.discharge, storage.loss]] = storage.number + 1
        self._gives[storage.discharge] = True

    def _state(self, fact: EfficiencyStated, _: Columns) -> None:
        self.named(fact.storage).efficiencies += (fact,)

    def _charge(self, fact: StorageCharged, rows: Columns) -> None:
        number = self.named(fact.storage).number
        self.charges.add(len(rows["start"]), **rows, storage=number, length_us=fact.interval_us)

    def _discharge(self, fact: StorageDischarged, rows: Columns) -> None:
        storage = self.named(fact.storage)
        found = self.plan(storage, storage_rules.whole_intervals(rows), surplus=bool((rows["charge"] == NONE).any()))
        storage.standing, storage.drawn_from = found.standing, found.drawn_from
        if len(found.links["source"]):
            self._due[storage.number] = found.links
        self.discharges.add(len(rows["start"]), **rows, storage=storage.number, length_us=fact.interval_us)

    def _withdraw(self, fact: StorageRecordsWithdrawn, _: Columns) -> None:
        number = self.named(fact.storage).number
        table = self.charges if fact.direction is Direction.CHARGE else self.discharges
        table["withdrawn"][fact.first :] |= table["storage"][fact.first :] == number

    def _close(self, fact: StorageClosed, _: Columns) -> None:
        self.named(fact.storage).closed = True

    def digest(self) -> bytes:
        """sha256 over every storage and record."""
        told = [repr(asdict(one)) for one in self.all]
        due = [(number, {name: column.tolist() for name, column in self._due[number].items()}) for number in self._due]
        digest = hashlib.sha256(repr((told, due)).encode())
        digest.update(self.charges.digest() + self.discharges.digest())
        return digest.digest()


def _pieces(storage: Storage, held: Columns, run: Columns, drawn: Draw, lost: int) -> tuple[Columns, Columns]:
    """Records and links of discharges; of each piece of charge the first units are discharged, the others lost."""
    begin, some = run["start"][drawn.discharge] + drawn.at, drawn.out > 0
    supported = {name: run[name][drawn.discharge][some] for name in ("register", "interval_us", "assurance")}
    supported |= {"start": begin[some], "stop": (begin + drawn.out)[some], "charge": held["number"][drawn.charge][some]}
    bare, _ = storage_rules.unsupported({**run, "start": run["start"] + drawn.supported})
    records = storage_rules.joined([supported, bare])
    order = np.argsort(records["start"])
    source, at = held["register"][drawn.charge], held["start"][drawn.charge] + drawn.into
    middle, ends, lost_at = at + drawn.out, at + drawn.drawn, positions_of(drawn.drawn - drawn.out, lost)
    given: tuple[Ints, ...] = (source, at, middle, run["register"][drawn.discharge], begin, begin + drawn.out)
    loss: tuple[Ints, ...] = (
        source,
        middle,
        ends,
        np.full(len(at), storage.loss, dtype=np.int32),
        lost_at[:-1],
        lost_at[1:],
    )
    woven: list[Ints] = [np.stack([one, other], axis=1).ravel() for one, other in zip(given, loss, strict=True)]
    filled = woven[2] > woven[1]
    names = (name for name, _ in LINKS.fixed)
    links = {name: column[filled] for name, column in zip(names, woven, strict=True)}
    return {name: column[order] for name, column in records.items()}, links


_Act = Callable[[Storages, Any, Columns], None]
_CHECKS: Final = cast(
    dict[type, _Act],
    {
        StorageRegistered: storage_rules.check_registered,
        EfficiencyStated: storage_rules.check_efficiency,
        StorageCharged: storage_rules.check_charged,
        StorageDischarged: storage_rules.check_discharged,
        StorageRecordsWithdrawn: storage_rules.check_withdrawn,
        StorageClosed: storage_rules.check_open,
    },
)
_FOLDS: Final = cast(
    dict[type, _Act],
    {
        StorageRegistered: Storages._register,
        EfficiencyStated: Storages._state,
        StorageCharged: Storages._charge,
        StorageDischarged: Storages._discharge,
        StorageRecordsWithdrawn: Storages._withdraw,
        StorageClosed: Storages._close,
    },
)
KINDS: Final = tuple(_FOLDS)

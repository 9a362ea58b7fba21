"""Registers and accounts: names as dense numbers, so that columns can hold them, and where each register stands."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.errors import NotFound, Refused
from penstock.journal.kinds.ledger import AccountOpened, RegisterOpened
from penstock.journal.names import Names
from penstock.journal.register_names import RegisterNames
from penstock.journal.words import RegisterKind, Right, Unit

UNITS: Final = tuple(Unit)
KINDS: Final = tuple(RegisterKind)
RIGHTS: Final = tuple(Right)


def grown(column: NDArray[Any], rows: int) -> NDArray[Any]:
    """``column`` with room for ``rows`` rows: itself, or a copy at least twice as long with zeros behind."""
    if rows <= len(column):
        return column
    longer = np.zeros((max(rows, 2 * len(column)), *column.shape[1:]), dtype=column.dtype)
    longer[: len(column)] = column
    return longer


class Registers:
    """All registers: unit, kind, rights issued there, and ``read``, the position reached so far [the register's unit].

    On a counted register ``read`` is what was metered or derived; elsewhere it is how far links have filled it.
    """

    def __init__(self) -> None:
        self._urns = RegisterNames()
        self._read = np.zeros(16, dtype=np.int64)
        self._traits = np.zeros((16, 4), dtype=np.uint8)  # unit, kind, rights issued (a bit each), closed

    def __len__(self) -> int:
        return len(self._urns)

    def __contains__(self, urn: str) -> bool:
        return urn in self._urns

    def id_of(self, urn: str) -> int:
        """The register's number; NotFound ``register.unknown``."""
        return self._urns.id_of(urn)

    def urn(self, register: int) -> str:
        """The register's name; NotFound ``register.unknown``."""
        return self._urns.name(register)

    def unit(self, register: int) -> Unit:
        """The unit it counts in."""
        return UNITS[int(self.unit_codes[register])]

    def kind(self, register: int) -> RegisterKind:
        """How it comes to stand where it stands."""
        return KINDS[int(self.kind_codes[register])]

    @property
    def read(self) -> NDArray[np.int64]:
        """Position of every register, by number; a read-only view."""
        return _sealed(self._read[: len(self)])

    @property
    def unit_codes(self) -> NDArray[np.uint8]:
        """``UNITS[code]`` of every register, by number."""
        return _sealed(self._traits[: len(self), 0])

    @property
    def kind_codes(self) -> NDArray[np.uint8]:
        """``KINDS[code]`` of every register, by number."""
        return _sealed(self._traits[: len(self), 1])

    def are(self, kind: RegisterKind) -> NDArray[np.bool_]:
        """Which registers are of ``kind``, by number."""
        mask: NDArray[np.bool_] = self.kind_codes == KINDS.index(kind)
        return mask

    def issues(self, right: Right) -> NDArray[np.bool_]:
        """Which registers issue ``right``, by number."""
        mask: NDArray[np.bool_] = (self._traits[: len(self), 2] >> RIGHTS.index(right)) & 1 == 1
        return mask

    @property
    def certified(self) -> NDArray[np.bool_]:
        """Which registers issue certificates, of what was generated or of what was drawn, by number."""
        return self.issues(Right.ATTRIBUTE) | self.issues(Right.CONSUMPTION)

    def check_open(self, opened: RegisterOpened) -> None:
        """That a register can begin so.

        Raises:
            Conflict: ``register.known``. NotFound: ``register.unknown`` for its predecessor.
            Refused: ``register.epoch`` where it continues another unit, a closed register, or another position
                than the one its predecessor stands at. As `check_rights`.
        """
        self._urns.check_new(opened.register)
        check_rights(opened.issues)
        if opened.predecessor is None:
            return
        before = self.id_of(opened.predecessor)
        position = int(self.read[before])
        if self._traits[before, 3] or self.unit(before) != opened.unit or position != opened.predecessor_position:
            raise Refused(
                "register.epoch",
                f"{opened.register} does not continue {opened.predecessor}, which stands at {position}.",
                hint="Name the position, in the same unit, at which the register before it ended.",
                register=opened.register,
            )

    def open(self, opened: RegisterOpened) -> int:
        """Begin a register at 0 and close the one it continues; returns its number. Raises as `check_open`."""
        self.check_open(opened)
        number = self._urns.add(opened.register)
        self._read, self._traits = grown(self._read, len(self)), grown(self._traits, len(self))
        kind = KINDS.index(opened.register_kind)
        self._traits[number] = (UNITS.index(opened.unit), kind, rights_bits(opened.issues), 0)
        if opened.predecessor is not None:
            self._traits[self.id_of(opened.predecessor), 3] = 1
        return number

    def check_family(self, devices: Sequence[str], channels: Sequence[str]) -> None:
        """That registers ``<device>/<channel>`` can begin; raises Conflict ``register.known``."""
        self._urns.check_family(devices, channels)

    def open_family(
        self, names: Names, base: int, channels: tuple[str, ...], unit: Unit, kind: RegisterKind, first: Iterable[Right]
    ) -> int:
        """Begin at 0 the registers ``<device>/<channel>`` of all devices from ``base`` on; the first one's number.

        Those of the first channel issue the rights ``first``, the others none.
        """
        start = self._urns.add_family(names, base, len(names) - base, channels)
        self._read, self._traits = grown(self._read, len(self)), grown(self._traits, len(self))
        self._traits[start : len(self), :2] = UNITS.index(unit), KINDS.index(kind)
        self._traits[start : len(self) : len(channels), 2] = rights_bits(first)
        return start

    def check_advance(self, register: NDArray[Any], position: NDArray[Any]) -> None:
        """That the readings, in row order, never go backwards.

        Raises:
            NotFound: ``register.unknown``. Refused: ``register.backwards``, ``register.closed``.
        """
        self.check_known(register)
        order = np.argsort(register, kind="stable")
        number, reading = register[order], position[order]
        before = self._read[number]
        again = number[1:] == number[:-1]
        before[1:][again] = reading[:-1][again]
        self._refuse_first(order, reading < before, "register.backwards", "A register never goes back", register)
        closed = (self._traits[number, 3] == 1) & (reading > before)
        self._refuse_first(order, closed, "register.closed", "A register that was continued stands still", register)

    def advance(self, register: NDArray[Any], position: NDArray[Any]) -> None:
        """Move registers on to where readings, in row order, found them. Raises as `check_advance`."""
        self.check_advance(register, position)
        self.raise_to(register, position)

    def raise_to(self, register: NDArray[Any], position: NDArray[Any]) -> None:
        """Move registers on that stand before ``position``; the others stay."""
        np.maximum.at(self._read, register, position)

    def check_known(self, register: NDArray[Any]) -> None:
        """That every number is a register's; NotFound ``register.unknown``."""
        unknown = (register < 0) | (register >= len(self))
        if unknown.any():
            row = int(np.argmax(unknown))
            raise NotFound("register.unknown", f"There is no register numbered {register[row]}.", row=row)

    def _refuse_first(
        self, order: NDArray[Any], bad: NDArray[Any], code: str, sentence: str, register: NDArray[Any]
    ) -> None:
        if bad.any():
            row = int(order[bad].min())
            raise Refused(code, f"{sentence}: {self.urn(int(register[row]))}.", row=row)

    def digest(self) -> bytes:
        """sha256 over names, traits and positions."""
        traits, read = self._traits[: len(self)], self._read[: len(self)]
        return hashlib.sha256(self._urns.digest() + traits.tobytes() + read.astype("<i8").tobytes()).digest()


class Accounts:
    """Holders of titles and money, by dense number; only external ones may owe."""

    def __init__(self) -> None:
        self._names = Names("account")
        self._external: list[bool] = []

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, account: str) -> bool:
        return account in self._names

    def check_open(self, opened: AccountOpened) -> None:
        """Raises Conflict ``account.known``."""
        self._names.check_new(opened.account)

    def open(self, opened: AccountOpened) -> int:
        """Open an account; returns its number. Raises as `check_open`."""
        number = self._names.add(opened.account)
        self._external.append(opened.external)
        return number

    def id_of(self, account: str) -> int:
        """The account's number; NotFound ``account.unknown``."""
        return self._names.id_of(account)

    def name(self, number: int) -> str:
        """The account's name; NotFound ``account.unknown``."""
        return self._names.name(number)

    def is_external(self, number: int) -> bool:
        """Whether it stands for the world outside, and may go below zero."""
        return self._external[number]

    def digest(self) -> bytes:
        """sha256 over names and flags."""
        return hashlib.sha256(self._names.digest() + bytes(self._external)).digest()


def check_rights(rights: Iterable[Right]) -> None:
    """That one register may issue all of ``rights``.

    Raises:
        Refused: ``register.rights`` where it would issue of the same units what was drawn and what was generated.
    """
    if Right.CONSUMPTION in rights and len(set(rights)) > 1:
        hint = "A meter counts what it exports and what it draws on two registers."
        raise Refused(
            "register.rights", "A register that issues consumption certificates issues no other right.", hint=hint
        )


def rights_bits(rights: Iterable[Right]) -> int:
    """A bit for each right."""
    return sum(1 << RIGHTS.index(right) for right in set(rights))


def _sealed(view: NDArray[Any]) -> NDArray[Any]:
    view.flags.writeable = False
    return view

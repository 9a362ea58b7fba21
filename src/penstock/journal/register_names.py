"""The names of registers: each its own, or those of a fleet, which follow from its devices' and so take no room."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from penstock.errors import Conflict, NotFound
from penstock.journal.names import Names


@dataclass(frozen=True, slots=True)
class Family:
    """Registers ``first``, ``first`` + 1, ...: device by device, from device ``base`` on, one for each ending.

    ``own_before`` names that are not of a family have lower numbers.
    """

    first: int
    names: Names
    base: int
    rows: int
    endings: tuple[str, ...]
    own_before: int

    @property
    def stop(self) -> int:
        """The number after the last."""
        return self.first + self.rows * len(self.endings)

    def find(self, urn: str) -> int:
        """A register's number, or -1."""
        stem, _, ending = urn.rpartition("/")
        row = self.names.find(stem) - self.base
        if not 0 <= row < self.rows or ending not in self.endings:
            return -1
        return self.first + row * len(self.endings) + self.endings.index(ending)

    def urn(self, number: int) -> str:
        """The name of a register that is one of these."""
        row, channel = divmod(number - self.first, len(self.endings))
        return f"{self.names.name(self.base + row)}/{self.endings[channel]}"


class RegisterNames:
    """Names numbered 0, 1, ... in the order they were added."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self._own: list[str] = []
        self._families: list[Family] = []
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __contains__(self, urn: str) -> bool:
        return self.find(urn) >= 0

    def find(self, urn: str) -> int:
        """A register's number, or -1."""
        own = self._ids.get(urn, -1)
        return own if own >= 0 else max((family.find(urn) for family in self._families), default=-1)

    def id_of(self, urn: str) -> int:
        """A register's number; NotFound ``register.unknown``."""
        number = self.find(urn)
        if number < 0:
            raise NotFound("register.unknown", f"There is no register {urn}.", name=urn)
        return number

    def name(self, number: int) -> str:
        """A register's name; NotFound ``register.unknown``."""
        if not 0 <= number < self._size:
            raise NotFound("register.unknown", f"There is no register numbered {number}.", id=number)
        place = bisect_right(self._families, number, key=lambda family: family.first) - 1
        if place < 0:
            return self._own[number]
        family = self._families[place]
        return family.urn(number) if number < family.stop else self._own[family.own_before + number - family.stop]

    def check_new(self, urn: str) -> None:
        """Raises Conflict ``register.known`` where the name is taken."""
        if urn in self:
            raise Conflict("register.known", f"The register {urn} is open already.", name=urn)

    def add(self, urn: str) -> int:
        """The new register's number; raises as `check_new`."""
        self.check_new(urn)
        self._ids[urn] = self._size
        self._own.append(urn)
        self._size += 1
        return self._ids[urn]

    def check_family(self, devices: Sequence[str], endings: Sequence[str]) -> None:
        """That no register is called as one of new devices' would be; raises Conflict ``register.known``."""
        fresh = set(devices)
        for urn in self._own:
            stem, _, ending = urn.rpartition("/")
            if ending in endings and stem in fresh:
                raise Conflict("register.known", f"The register {urn} is open already.", name=urn)

    def add_family(self, names: Names, base: int, rows: int, endings: tuple[str, ...]) -> int:
        """The number of the first register of devices ``[base, base + rows)`` of ``names``, which are checked."""
        family = Family(self._size, names, base, rows, endings, len(self._own))
        self._families.append(family)
        self._size = family.stop
        return family.first

    def digest(self) -> bytes:
        """sha256 over the names in order; of a family over what it follows from."""
        digest = hashlib.sha256()
        for name in self._own:
            raw = name.encode()
            digest.update(len(raw).to_bytes(4, "big") + raw)
        told = [(family.first, family.base, family.rows, family.endings) for family in self._families]
        digest.update(repr(told).encode() if told else b"")
        return digest.digest()

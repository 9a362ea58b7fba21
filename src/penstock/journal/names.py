"""Names as dense numbers, so that columns can hold them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Conflict, NotFound


class Names:
    """Names numbered 0, 1, ... in the order they were added. ``word`` is the first part of the error codes."""

    def __init__(self, word: str) -> None:
        self._word = word
        self._ids: dict[str, int] = {}
        self._names: list[str] = []

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: str) -> bool:
        return name in self._ids

    def check_new(self, name: str) -> None:
        """Raises Conflict ``<word>.known`` where the name is taken."""
        if name in self._ids:
            raise Conflict(f"{self._word}.known", f"The {self._word} {name} is open already.", name=name)

    def add(self, name: str) -> int:
        """The new name's number; raises as `check_new`."""
        self.check_new(name)
        self._ids[name] = len(self._names)
        self._names.append(name)
        return self._ids[name]

    def check_all_new(self, names: Sequence[str]) -> None:
        """Raises Conflict ``<word>.known`` where one of many names is taken, or is among them twice."""
        if self._ids.keys().isdisjoint(names) and len(set(names)) == len(names):
            return
        seen: set[str] = set()
        for name in names:
            if name in self._ids or name in seen:
                raise Conflict(f"{self._word}.known", f"The {self._word} {name} is open already.", name=name)
            seen.add(name)

    def add_all(self, names: Sequence[str]) -> int:
        """The number of the first of many new names, the others following; raises as `check_all_new`."""
        self.check_all_new(names)
        first = len(self._names)
        self._ids.update(zip(names, range(first, first + len(names)), strict=True))
        self._names.extend(names)
        return first

    def intern(self, name: str) -> int:
        """The name's number, added where it is new."""
        return self._ids[name] if name in self._ids else self.add(name)

    def find(self, name: str) -> int:
        """A name's number, or -1."""
        return self._ids.get(name, -1)

    def find_all(self, names: Sequence[str]) -> NDArray[np.int32]:
        """The numbers of many names, -1 where there is none."""
        return np.fromiter(map(self._ids.get, names, repeat(-1)), dtype=np.int32, count=len(names))

    @property
    def all(self) -> Sequence[str]:
        """All names, by number."""
        return self._names

    def id_of(self, name: str) -> int:
        """A name's number; NotFound ``<word>.unknown``."""
        if name not in self._ids:
            raise NotFound(f"{self._word}.unknown", f"There is no {self._word} {name}.", name=name)
        return self._ids[name]

    def name(self, number: int) -> str:
        """A number's name; NotFound ``<word>.unknown``."""
        if not 0 <= number < len(self._names):
            raise NotFound(f"{self._word}.unknown", f"There is no {self._word} numbered {number}.", id=number)
        return self._names[number]

    def digest(self) -> bytes:
        """sha256 over the names in order, each with its length before it."""
        digest = hashlib.sha256()
        for name in self._names:
            raw = name.encode()
            digest.update(len(raw).to_bytes(4, "big") + raw)
        return digest.digest()

"""Whose output it is, by device and time; the sites devices stand on, and the programmes they are locked in."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Conflict
from penstock.journal.kinds.energy import ProgrammeLock, SiteRegistered
from penstock.journal.names import Names


@dataclass(slots=True)
class Ownership:
    """Owners are numbered by name; a device is its site's owner's until it is transferred."""

    owners: Names = field(default_factory=lambda: Names("owner"))
    sites: Names = field(default_factory=lambda: Names("site"))
    _site_facts: dict[str, SiteRegistered] = field(default_factory=dict)
    _site_owner: list[int] = field(default_factory=list)
    _site_personal: list[bool] = field(default_factory=list)
    _transfers: list[tuple[int, int, int]] = field(default_factory=list)
    _owner_keys: dict[int, bytes] = field(default_factory=dict)
    _locks: dict[int, tuple[ProgrammeLock, ...]] = field(default_factory=dict)

    def register(self, site: SiteRegistered) -> None:
        """A site that devices may stand on."""
        self._site_facts[site.site] = site

    def site_number(self, site: str) -> int:
        """The number of a site, once a device stands on it."""
        number = self.sites.intern(site)
        if number == len(self._site_owner):
            found = self._site_facts.get(site)
            self._site_owner.append(self.owners.intern(found.owner if found else site))
            self._site_personal.append(found is not None and found.personal)
        return number

    def cell_of(self, site: str) -> str:
        """Where a site lies; empty where it does not say."""
        found = self._site_facts.get(site)
        return found.cell if found else ""

    def personal(self) -> NDArray[np.bool_]:
        """Whether readings of each site can be erased, by site number."""
        return np.array(self._site_personal, dtype=np.bool_)

    def transfer(self, device: int, owner: str, owner_key: bytes, from_us: int) -> None:
        """Output from an instant on is another's; what was ceded for later lapses."""
        self._transfers = [one for one in self._transfers if one[0] != device or one[1] < from_us]
        self._transfers.append((device, from_us, self.owners.intern(owner)))
        self._transfers.sort()
        self._owner_keys[device] = owner_key

    def owner_at(self, device: NDArray[Any], site: NDArray[Any], at_us: NDArray[Any]) -> NDArray[np.int32]:
        """The owner (a row of ``owners``) of what each device counts in the interval that starts at an instant."""
        owner: NDArray[np.int32] = np.array(self._site_owner, dtype=np.int32)[site]
        if self._transfers:
            ceded, from_us, new = np.array(self._transfers, dtype=np.int64).T
            pairs = np.rec.fromarrays([ceded, from_us])
            asked = np.rec.fromarrays([device.astype(np.int64), at_us.astype(np.int64)])
            last = (
                np.searchsorted(pairs, asked, side="right") - 1
            )  # the last transfer before, perhaps of another device
            mine = (last >= 0) & (ceded[last] == device)
            owner[mine] = new[last[mine]]
        return owner

    def owner_key(self, device: int, site: str) -> bytes:
        """The Ed25519 key of whoever owns a device last; empty where none was named."""
        found = self._site_facts.get(site)
        return self._owner_keys.get(device, found.owner_key if found else b"")

    def lock(self, device: int, lock: ProgrammeLock) -> None:
        """A device takes part in one programme; raises as `check_lock`."""
        self.check_lock(device, lock)
        self._locks[device] = (*self._locks.get(device, ()), lock)

    def check_lock(self, device: int, lock: ProgrammeLock) -> None:
        """Raises Conflict ``device.locked`` where another lock overlaps, or this one is empty."""
        for held in self._locks.get(device, ()):
            if lock.start_us < held.stop_us and held.start_us < lock.stop_us:
                raise Conflict(
                    "device.locked", f"The device is locked in {held.programme} then.", programme=held.programme
                )
        if lock.start_us >= lock.stop_us:
            raise Conflict("device.locked", "A lock ends after it begins.", programme=lock.programme)

    def locks(self, device: int) -> tuple[ProgrammeLock, ...]:
        """The programmes a device takes part in, and when."""
        return self._locks.get(device, ())

    def digest(self) -> bytes:
        """sha256 over all of it."""
        told = (list(self.owners.all), list(self.sites.all), list(self._site_facts.values()), self._transfers)
        return hashlib.sha256(repr((told, self._owner_keys, self._locks)).encode()).digest()

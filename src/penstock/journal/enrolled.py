"""The books' own view of devices: which sites and names are taken, and which registers a device counts."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Conflict, Invalid, NotFound
from penstock.journal.device_rows import read_identities, start_counts
from penstock.journal.kinds.device import EpochOpened
from penstock.journal.kinds.energy import DeviceEnrolled, DevicesEnrolled, SiteRegistered
from penstock.journal.names import Names
from penstock.journal.register import Registers, check_rights, grown
from penstock.journal.segment import Columns
from penstock.journal.words import RegisterKind, Unit

CHANNELS_MAX: Final = 16


class Enrolled:
    """Sites and devices by name; devices are numbered in order of enrolment."""

    def __init__(self, registers: Registers) -> None:
        self.names = Names("device")
        self.sites: dict[str, SiteRegistered] = {}
        self._registers = registers
        self._main = np.zeros(16, dtype=np.int32)
        self._metered = np.zeros(16, dtype=np.bool_)
        self._chain = bytes(32)  # of hashes over all that was told, so that a digest costs nothing

    def main_registers(self) -> NDArray[np.int32]:
        """The register of channel 0 that every device was enrolled with, by device number."""
        return self._main[: len(self.names)]

    def metered(self) -> NDArray[np.bool_]:
        """Which registers a device counts, by register number."""
        self._metered = grown(self._metered, len(self._registers))
        return self._metered[: len(self._registers)]

    def check_site(self, site: SiteRegistered) -> None:
        """Raises Conflict ``site.known``."""
        if site.site in self.sites:
            raise Conflict("site.known", f"The site {site.site} is registered already.", site=site.site)

    def register_site(self, site: SiteRegistered) -> None:
        """Take a site in; raises as `check_site`."""
        self.check_site(site)
        self.sites[site.site] = site
        self._tell(site)

    def check_one(self, device: DeviceEnrolled) -> None:
        """That a device may be enrolled.

        Raises:
            Conflict: ``device.known``, ``device.register_taken``. NotFound: ``site.unknown``, ``register.unknown``.
            Invalid: ``device.start_count``.
        """
        self.names.check_new(device.device)
        self._check_known(device.site)
        urns = (device.register, *device.more_registers)
        start_counts([device.start_counts_wh], len(urns))
        metered = self.metered()[[self._registers.id_of(urn) for urn in urns]]
        if metered.any() or len(set(urns)) != len(urns):
            raise Conflict("device.register_taken", "A device counts this register already.", device=device.device)

    def enrol_one(self, device: DeviceEnrolled) -> None:
        """Take a device in; raises as `check_one`."""
        self.check_one(device)
        registers = [self._registers.id_of(urn) for urn in (device.register, *device.more_registers)]
        self.names.add(device.device)
        self._count(np.array(registers[:1]), np.array(registers))
        self._tell(device)

    def check_many(self, fact: DevicesEnrolled, names: Sequence[str], *, new_site: bool = False) -> None:
        """That many devices may be enrolled at once, on a site that is known or about to be.

        Raises:
            Conflict: ``device.known``, ``register.known``. NotFound: ``site.unknown``. Invalid: ``device.channels``,
            ``device.name``.
        """
        if not new_site:
            self._check_known(fact.site)
        check_channels(fact.channels)
        if not all(map(str.isprintable, names)) or "" in names:
            raise Invalid("device.name", "A device's name has printable characters.")
        self.names.check_all_new(names)
        self._registers.check_family(names, fact.channels)
        check_rights(fact.issues)

    def enrol_many(self, fact: DevicesEnrolled, columns: Columns) -> None:
        """Take many devices in and open their registers; raises as `check_many`, `read_identities`, `start_counts`."""
        names, *_, starts = read_identities(columns["identity"])
        self.check_many(fact, names)
        start_counts(starts, len(fact.channels))
        base = self.names.add_all(names)
        first = self._registers.open_family(self.names, base, fact.channels, Unit.WH, RegisterKind.COUNTED, fact.issues)
        registers = np.arange(first, len(self._registers))
        self._count(registers[:: len(fact.channels)], registers)
        self._tell(fact)

    def open_epoch(self, fact: EpochOpened) -> None:
        """A device counts another register; raises NotFound ``device.unknown``, ``register.unknown``."""
        self.names.id_of(fact.device)
        self.metered()[self._registers.id_of(fact.register)] = True
        self._tell(fact)

    def _check_known(self, site: str) -> None:
        if site not in self.sites:
            raise NotFound("site.unknown", f"There is no site {site}.", site=site)

    def _count(self, main: NDArray[Any], registers: NDArray[Any]) -> None:
        """New devices' registers: the main one of each, and all of them."""
        self._main = grown(self._main, len(self.names))
        self._main[len(self.names) - len(main) : len(self.names)] = main
        self.metered()[registers] = True

    def _tell(self, fact: object) -> None:
        self._chain = hashlib.sha256(self._chain + repr(fact).encode()).digest()

    def digest(self) -> bytes:
        """sha256 over all that was told, in order."""
        return self._chain


def check_channels(channels: Sequence[str]) -> None:
    """That these can be the names of a device's channels; raises Invalid ``device.channels``."""
    named = all(re.fullmatch(r"[a-z][a-z0-9_-]*", channel) for channel in channels)
    if not 0 < len(channels) <= CHANNELS_MAX or len(set(channels)) != len(channels) or not named:
        raise Invalid("device.channels", f"A device has 1 to {CHANNELS_MAX} channels, each of its own plain name.")

"""What a report is about, and which registers that comes to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
from numpy.typing import NDArray

from penstock.energy.carbon.factors import FactorName
from penstock.energy.point_tree import DIRECTIONS
from penstock.errors import Invalid, NotFound, Refused
from penstock.journal.segment import Column
from penstock.journal.words import Direction, Right
from penstock.period import HOUR_US, Period, iso
from penstock.usecases.world import World

YEARS_US_MAX: Final = 2 * 366 * 24 * HOUR_US
_IMPORT: Final = "import"


@dataclass(frozen=True, slots=True)
class Request:
    """The consumption of an account's sites, or of named ones, in a period of whole hours.

    ``factors`` are the grid's, hour by hour; the annual residual is the mean of ``annual``, or else of the same.
    ``time_zone`` only says how hours of the day are named.
    """

    period: Period
    factors: FactorName
    account: str = ""
    sites: tuple[str, ...] = ()
    annual: FactorName | None = None
    time_zone: str = "UTC"

    def check(self) -> None:
        """That it can be answered.

        Raises:
            Invalid: ``report.period`` unless whole hours, of two years at most; ``report.time_zone``; ``report.whose``.
        """
        length_us = self.period.stop_us - self.period.start_us
        if self.period.start_us % HOUR_US or length_us % HOUR_US or length_us > YEARS_US_MAX:
            raise Invalid("report.period", "A report is of whole hours, of two years at most.")
        if not self.account and not self.sites:
            raise Invalid("report.whose", "A report is of an account or of sites.")
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            hint = "A name of the time zone database, as Europe/London."
            raise Invalid("report.time_zone", "There is no such time zone.", hint=hint) from None

    def to_json(self) -> dict[str, Any]:
        """As the report says it, so that it can be asked again."""
        return {
            "account": self.account,
            "sites": list(self.sites),
            "start": iso(self.period.start_us),
            "stop": iso(self.period.stop_us),
            "factors": {"source": self.factors.source, "version": self.factors.version},
            "annual": {"source": self.annual.source, "version": self.annual.version} if self.annual else None,
            "time_zone": self.time_zone,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """The registers that count what was drawn, sorted by zone: ``register``, ``site`` and ``zone`` index the lists.

    ``begins_us`` is since when a register is known to have stood at 0; -1 where another came before it.
    """

    register: Column
    site: Column
    zone: Column
    begins_us: Column
    sites: list[str]
    zones: list[str]
    names: frozenset[str] = field(default_factory=frozenset)

    def __len__(self) -> int:
        return len(self.register)

    def row_of(self, registers: int) -> NDArray[np.int32]:
        """By register number: its row here, -1 where it is not in scope."""
        rows = np.full(registers + 1, -1, dtype=np.int32)
        rows[self.register] = np.arange(len(self), dtype=np.int32)
        return rows


def scope_of(world: World, asked: Request) -> Scope:
    """The registers of a request.

    Raises:
        NotFound: ``report.no_site``. Refused: ``report.no_consumption`` where no register of the sites counts imports.
    """
    sites = _sites(world, asked)
    energy = world.energy
    chosen = np.array([name in sites for name in energy.sites], dtype=bool)
    device = energy.device_of.astype(np.int64)
    metered = np.flatnonzero(device >= 0)
    metered = metered[chosen[energy.site[device[metered]]]]
    register = np.array([one for one in metered.tolist() if draws(world, one)], dtype=np.int64)
    register = register[~_below_another(world, register)]
    if not len(register):
        hint = "Enrol an import meter, or place its register in the site's tree."
        raise Refused("report.no_consumption", "No register of these sites counts what they draw.", hint=hint)
    names = [energy.sites[number] for number in energy.site[device[register]].tolist()]
    zones = [world.books.sites[name].zone for name in names]
    order = sorted(range(len(names)), key=lambda row: (zones[row], names[row], int(register[row])))
    site_list, zone_list = sorted(set(names)), sorted(set(zones))
    row = np.array(order)
    first = np.array(["#" not in world.books.registers.urn(one) for one in register.tolist()])
    begins = np.where(first, energy.commissioned_us[device[register]], -1)
    site_of = {name: number for number, name in enumerate(site_list)}
    zone_of = {name: number for number, name in enumerate(zone_list)}
    return Scope(
        register[row],
        np.array([site_of[names[one]] for one in order]),
        np.array([zone_of[zones[one]] for one in order]),
        begins[row],
        site_list,
        zone_list,
        frozenset({*site_list, *([asked.account] if asked.account else [])}),
    )


def draws(world: World, register: int) -> bool:
    """Whether a register counts what its site draws: it issues consumption certificates, is placed so, or named so."""
    if world.books.registers.issues(Right.CONSUMPTION)[register]:
        return True
    direction = world.energy.points["direction"]
    if register < len(direction) and direction[register] < len(DIRECTIONS):
        return DIRECTIONS[int(direction[register])] is Direction.IMPORT
    return world.books.registers.urn(register).split("#")[0].endswith(f"/{_IMPORT}")


def _below_another(world: World, register: Column) -> NDArray[np.bool_]:
    """Registers whose energy one above them in the tree counts too."""
    chosen, points = set(register.tolist()), len(world.energy.points["direction"])
    below = [one < points and bool(chosen & set(world.energy.points.above(one).tolist()[1:])) for one in register]
    return np.array(below, dtype=bool)


def _sites(world: World, asked: Request) -> set[str]:
    known = world.books.sites
    for site in asked.sites:
        if site not in known:
            raise NotFound("report.no_site", f"There is no site {site}.", site=site)
    owned = {name for name, site in known.items() if asked.account and site.owner == asked.account}
    if not owned and not asked.sites:
        raise NotFound("report.no_site", f"{asked.account} owns no site here.", account=asked.account)
    return owned | set(asked.sites)

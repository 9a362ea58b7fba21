"""Carbon credits: what certified energy avoided, by an adopted method, in whole grams.

What a Wh avoided is the baseline's factor of its zone and hour, less what it emitted itself; nothing is avoided where
that is not more than 0. Grams are floors of a register's cumulative micrograms, so no remainder is lost or made.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from penstock.energy.carbon.factors import FactorBook, FactorName
from penstock.energy.carbon.inventory import UG_PER_G
from penstock.energy.device import Devices
from penstock.errors import Invalid, Refused
from penstock.journal.kinds.carbon import Baseline, MethodAdopted
from penstock.journal.lots import Lots
from penstock.journal.segment import Column, Columns
from penstock.journal.words import ASSURANCES, TECHNOLOGIES, Technology
from penstock.period import from_us, iso, to_us

BUFFER_BP_MAX: Final = 10_000
YEARS_MAX: Final = 50


@dataclass(frozen=True, slots=True, eq=False)
class Avoided:
    """What parts of certificates avoided: of one zone, technology and year; ``avoided_ug`` by part [µg]."""

    zone: str
    technology: Technology
    vintage: int
    energy_wh: int
    avoided_ug: Column


def check_method(method: MethodAdopted) -> None:
    """That a method says all that it has to.

    Raises:
        Invalid: ``method.named``, ``method.additionality``, ``method.bounds``.
    """
    if not method.method or not method.version or not method.buffer:
        raise Invalid("method.named", "A method has a name, a version and an account for its buffer.")
    if not method.additionality or not method.technologies:
        raise Invalid("method.additionality", "A method says why its energy is additional, and of which technologies.")
    if not 0 <= method.buffer_bp < BUFFER_BP_MAX or not 0 < method.crediting_years <= YEARS_MAX:
        hint = f"A buffer is 0 to {BUFFER_BP_MAX - 1} basis points, crediting 1 to {YEARS_MAX} years."
        raise Invalid("method.bounds", "The method's buffer or crediting years are out of bounds.", hint=hint)


def reckon_avoided(method: MethodAdopted, parts: Columns, lots: Lots, energy: Devices, factors: FactorBook) -> Avoided:
    """What parts of certificates (rows of `TitleBook.parts`) avoided by a method.

    Raises:
        Refused: ``carbon.nothing`` without parts; ``carbon.mixed`` of several zones, technologies or years;
            ``carbon.not_additional`` where device or certificate is not what the method asks for;
            ``carbon.no_factor`` where the baseline has none for an hour; ``carbon.not_avoided`` where a Wh emitted as
            much as it displaced.
    """
    if not len(parts["start"]):
        raise Refused("carbon.nothing", "There is nothing to make a carbon credit of.")
    zone, technology = _alike(lots, parts["lot"])
    vintage = _vintage(parts["interval_us"])
    _check_additional(method, parts, lots, energy)
    baseline = _baseline(method, factors, zone, parts["interval_us"], lots.column("interval_us")[parts["lot"]])
    saved = baseline - lots.column("carbon_mg_per_kwh")[parts["lot"]]
    if (saved <= 0).any():
        at_us = int(parts["interval_us"][np.argmax(saved <= 0)])
        raise Refused("carbon.not_avoided", f"At {iso(at_us)} this energy emitted as much as it displaced.")
    energy_wh = parts["stop"] - parts["start"]
    if float(energy_wh.max()) * float(saved.max()) * len(saved) >= 2.0**62:
        raise Refused("carbon.too_much", "This is too much for one credit.", hint="Credit it in smaller parts.")
    return Avoided(zone, technology, vintage, int(energy_wh.sum()), energy_wh * saved)


def grams_down(before_ug: int, avoided_ug: Column) -> Column:
    """Positions [g] between the parts of a credit, on a register that ``before_ug`` were credited to: n + 1."""
    carried = before_ug % UG_PER_G
    whole = np.concatenate([[0], np.cumsum(avoided_ug)]) + carried
    return before_ug // UG_PER_G + whole // UG_PER_G


def buffer_up(method: MethodAdopted, grams: int) -> int:
    """Of so many grams, what is held apart; rounded up."""
    return -(-grams * method.buffer_bp // BUFFER_BP_MAX)


def register_of(method: MethodAdopted, vintage: int) -> str:
    """The register that counts a method's credits of a year [g CO2e]."""
    return f"carbon/{method.method}/{method.version}/{vintage}"


def _alike(lots: Lots, lot: Column) -> tuple[str, Technology]:
    of, first = np.unique(lot), int(lot[0])
    for name in ("zone", "technology"):
        if (lots.column(name)[of] != lots.column(name)[first]).any():
            hint = "Make one credit of each zone and technology."
            raise Refused("carbon.mixed", "A carbon credit is of one zone, technology and year.", hint=hint)
    return lots[first].zone, TECHNOLOGIES[int(lots.column("technology")[first])]


def _vintage(interval_us: Column) -> int:
    first, last = (from_us(int(at)).year for at in (interval_us.min(), interval_us.max()))
    if first != last:
        hint = "Make one credit of each calendar year (UTC)."
        raise Refused("carbon.mixed", "A carbon credit is of one zone, technology and year.", hint=hint)
    return first


def _check_additional(method: MethodAdopted, parts: Columns, lots: Lots, energy: Devices) -> None:
    device_of, register = energy.device_of, parts["register"]
    metered = register < len(device_of)
    device = np.where(metered, device_of[np.where(metered, register, 0)], -1)
    commissioned_us = np.where(device >= 0, energy.commissioned_us[np.maximum(device, 0)], -1)
    late_us = np.array([_years_after(int(at), method.crediting_years) for at in np.unique(commissioned_us)])
    until_us = late_us[np.unique(commissioned_us, return_inverse=True)[1]]
    admitted = [TECHNOLOGIES.index(one) for one in method.technologies]
    good = (device >= 0) & (commissioned_us >= method.commissioned_from_us) & (parts["interval_us"] < until_us)
    good &= np.isin(lots.column("technology")[parts["lot"]], admitted)
    good &= lots.column("assurance")[parts["lot"]] <= ASSURANCES.index(method.assurance)
    good &= ~lots.column("stored")[parts["lot"]]
    if not good.all():
        hint = "The method names technologies, the least assurance, from when devices are commissioned, for how long."
        sentence = "The method does not hold this energy to be additional."
        raise Refused("carbon.not_additional", sentence, hint=hint, refused=int((~good).sum()))


def _years_after(at_us: int, years: int) -> int:
    """The same day so many years later; of a 29 February the 28th. The start of time where there is no instant."""
    if at_us < 0:
        return 0
    begun = from_us(at_us)
    day = min(begun.day, 28) if begun.month == 2 else begun.day
    return to_us(begun.replace(year=begun.year + years, day=day))


def _baseline(method: MethodAdopted, factors: FactorBook, zone: str, interval_us: Column, length_us: Column) -> Column:
    name = FactorName(method.source, method.factors_version)
    found = factors.at(name, zone, interval_us, int(length_us.max()))
    baseline = found.marginal if method.baseline is Baseline.MARGINAL else found.average
    if (baseline < 0).any():
        at_us = int(interval_us[np.argmax(baseline < 0)])
        sentence = f"{name} has no {method.baseline} factor of {zone} at {iso(at_us)}."
        raise Refused("carbon.no_factor", sentence, hint="Publish it, or credit the hours that have one.")
    return baseline

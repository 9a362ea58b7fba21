"""Export: certificates go to live in another registry. They stay here, exported, until they come back.

The other side reads them from a CSV file with the fields of the EnergyTag specification. What was imported is exported
under the numbers it came with, so that whoever issued it knows it again.

Source: EnergyTag Granular Certificate Scheme Standard (fields of a certificate bundle).
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, cast

import numpy as np

from penstock.energy.foreign import spelling
from penstock.errors import Invalid, Refused
from penstock.journal.fact import Entry
from penstock.journal.kinds.energy import TitlesMoved
from penstock.journal.segment import Columns
from penstock.journal.words import Right, Technology, TitleState
from penstock.period import iso
from penstock.usecases.claim import Claim, moved
from penstock.usecases.fleet import segment_of
from penstock.usecases.registry.desk import Done, done
from penstock.usecases.registry.selection import Named, Selection, Use, quantity_of, usable
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

Row = dict[str, Any]
PURPOSE: Final = "exported to "
"""How the purpose of an export begins."""
NAME_CHARS_MAX: Final = 128
FIELDS: Final = (
    "issuing_body", "device_id", "issuance_id", "certificate_status", "bundle_id_range_start", "bundle_id_range_end",
    "bundle_quantity", "face_value", "energy_carrier", "energy_source", "production_starting_interval",
    "production_ending_interval", "expiry_datestamp", "is_storage", "emissions_factor_production_device",
    "issue_market_zone", "support_received", "assurance",
)  # fmt: skip
SOURCES: Final = {
    Technology.SOLAR_PV: "Solar",
    Technology.WIND: "Wind",
    Technology.HYDRO: "Hydro",
    Technology.BIOMASS: "Biomass",
    Technology.GEOTHERMAL: "Geothermal",
    Technology.NUCLEAR: "Nuclear",
}
"""Energy sources as other registries write them; other technologies go by our own word."""


@dataclass(frozen=True, slots=True)
class Export:
    """Certificates of ``account`` go to ``registry``; ``by`` asks for it."""

    account: str
    registry: str
    selection: Selection
    statement: str = ""
    by: str = ""


def export(world: World, asked: Export, at_us: int) -> list[Entry]:
    """The fact of an export.

    Raises:
        Invalid: ``export.registry`` without another registry's name. Refused: ``export.no_origin`` where this one has
        no name, ``export.not_whole`` where a part is not a whole number of the certificates it came as. As `usable`
        and `check_may`.
    """
    if not (0 < len(asked.registry) <= NAME_CHARS_MAX and asked.registry.isprintable()):
        raise Invalid("export.registry", "An export names the registry that it goes to.")
    if not world.participants.origin:
        hint = "A log is named before anything is recorded: penstock store init --origin NAME"
        raise Refused("export.no_origin", "This registry has no name that others could know it by.", hint=hint)
    if spelling(asked.registry) == spelling(world.participants.origin):
        raise Invalid("export.registry", "That is this registry.", registry=asked.registry)
    parts = usable(world, asked.account, asked.selection, Use(TitleState.EXPORTED, asked.registry), at_us)
    world.participants.check_may(asked.by, asked.account, "export", quantity_of(parts))
    world.foreign.numbers(parts)
    told = Claim(asked.registry, PURPOSE + asked.registry, None, asked.statement, asked.by)
    return [moved(world, Right.ATTRIBUTE, parts, TitleState.EXPORTED, told, at_us=at_us)]


def export_on(workspace: Workspace, key: str, asked: Export, at_us: int) -> tuple[Done, str]:
    """Record an export under a key; what it did, and the CSV file for the other side. Raises as `export`."""
    found = done(workspace, key, asked, at_us, lambda world: export(world, asked, at_us))
    return found, exported_csv(workspace, found.first_seq)


def read_named(text: str) -> Named:
    """A certificate written ``REGISTER:START:STOP``. Raises Invalid ``export.certificate``."""
    register, _, span = text.partition(":") if text.count(":") == 2 else ("", "", "")
    start, _, stop = span.partition(":")
    if not (register and start.isdecimal() and stop.isdecimal() and len(span) <= 40):
        raise Invalid("export.certificate", "A certificate is written REGISTER:START:STOP.")
    return Named(register, int(start), int(stop))


def exported_csv(workspace: Workspace, seq: int) -> str:
    """The CSV file of an export, by the place of its fact. Raises Invalid ``export.seq`` where that is none."""
    row = next(iter(workspace.facts(seq, seq + 1)), None)
    fact = row.recorded.fact if row else None
    if row is None or not isinstance(fact, TitlesMoved) or fact.state is not TitleState.EXPORTED:
        raise Invalid("export.seq", f"Fact {seq} is no export.", seq=seq)
    columns = segment_of(workspace, row)
    return workspace.read(lambda world: certificates_csv(world, columns))


def certificates_csv(world: World, spans: Columns) -> str:
    """Certificates (columns register, start, stop) with all that another registry needs, one line a bundle."""
    parts = world.books.titles[Right.ATTRIBUTE].parts(*(spans[name] for name in ("register", "start", "stop")))
    numbers = world.foreign.numbers(parts)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(FIELDS)
    lots = _said_of_lots(world, parts)
    columns = [parts[name].tolist() for name in ("register", "interval_us", "lot")]
    for row, (register, interval_us, lot) in enumerate(zip(*columns, strict=True)):
        body, device = world.foreign.issued_by(register, world.participants.origin)
        first, last, face_wh = (int(numbers[name][row]) for name in ("first", "last", "face_wh"))
        stop_us = int(numbers["interval_stop_us"][row]) or interval_us + lots[lot]["interval_us"]
        valid_us = lots[lot]["valid_us"]
        writer.writerow(
            (body, device, f"{device}:{first}-{last}", "Exported", first, last, last - first + 1, face_wh,
             "Electricity", lots[lot]["source"], iso(interval_us), iso(stop_us),
             iso(stop_us + valid_us) if valid_us else "", lots[lot]["stored"], lots[lot]["carbon"], lots[lot]["zone"],
             lots[lot]["support"], lots[lot]["assurance"])
        )  # fmt: skip
    return text.getvalue()


def _said_of_lots(world: World, parts: Columns) -> dict[int, Row]:
    """What all bundles of a lot share, as written in a file."""
    found = {number: world.books.lots[number] for number in np.unique(parts["lot"]).tolist()}
    return {
        number: {
            "interval_us": lot.interval_us,
            "valid_us": lot.valid_us,
            "source": SOURCES.get(lot.technology, lot.technology.value),
            "stored": str(lot.stored),
            "carbon": f"{Decimal(lot.carbon_mg_per_kwh) / 1_000:f}",  # mg per kWh to kg per MWh
            "zone": lot.zone,
            "support": lot.support,
            "assurance": lot.assurance.value,
        }
        for number, lot in cast(dict[int, Any], found).items()
    }

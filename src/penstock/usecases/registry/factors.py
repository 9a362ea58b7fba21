"""Factors: what a grid's kWh emitted, published once for a source and version; methods that rest on them."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation
from typing import Any, Final

import numpy as np
import yaml

from penstock.energy.carbon.factors import FactorName
from penstock.errors import Invalid
from penstock.journal.fact import Entry
from penstock.journal.formats import FACTORS
from penstock.journal.kinds.carbon import Baseline, FactorsPublished, MethodAdopted
from penstock.journal.kinds.ledger import AccountOpened
from penstock.journal.segment import Column, Columns, Segment
from penstock.journal.words import Assurance, Technology
from penstock.period import iso, parse_iso
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

HEADS: Final = (
    "zone",
    "start",
    "stop",
    "average_g_per_kwh",
    "residual_g_per_kwh",
    "marginal_g_per_kwh",
    "carbon_free_percent",
)
_METHOD: Final = (
    "method",
    "version",
    "baseline",
    "source",
    "factors_version",
    "additionality",
    "commissioned_from",
    "crediting_years",
    "technologies",
    "assurance",
    "buffer_bp",
    "buffer",
)
ROWS_MAX: Final = 5_000_000
METHOD_CHARS_MAX: Final = 16_384
METHOD_DEPTH_MAX: Final = 2
_FIGURES: Final = dict(zip(HEADS[3:6], ("average", "residual", "marginal"), strict=True))


def publish(world: World, name: FactorName, basis: str, zones: tuple[str, ...], rows: Columns) -> list[Entry]:
    """The fact of grid factors (columns of ``factor/1``); raises as `FactorBook.check`."""
    segment = Segment(FACTORS, rows)
    fact = FactorsPublished(segment.ref(), name.source, name.version, basis, zones)
    world.carbon.factors.check(fact, rows)
    return [Entry(fact, segment)]


def publish_on(
    workspace: Workspace, name: FactorName, basis: str, text: str, at_us: int, key: str = ""
) -> dict[str, Any]:
    """Publish the factors of a CSV text under a key, or else the text's own: again, it is answered as the first time.

    Raises as `publish`.
    """
    zones, rows = factors_of_csv(text)
    asked = f"{name.source}\n{name.version}\n{basis}\n{text}".encode()
    key = key or f"factors:{hashlib.sha256(asked).hexdigest()[:32]}"
    receipt = workspace.submit(key, asked, at_us, lambda world: publish(world, name, basis, zones, rows))
    found = {"source": name.source, "version": name.version, "zones": list(zones), "rows": len(rows["zone"])}
    return {**found, "fact": receipt.first_seq, "repeated": receipt.repeated}


def adopt(world: World, method: MethodAdopted) -> list[Entry]:
    """The fact of a method, and the account of its buffer where there is none. Raises as `Carbon.check_method`."""
    world.carbon.check_method(method)
    opened = [] if method.buffer in world.books.accounts else [Entry(AccountOpened(method.buffer))]
    return [*opened, Entry(method)]


def adopt_on(workspace: Workspace, text: str, at_us: int) -> dict[str, Any]:
    """Adopt the method of a YAML text; the same text again is answered as the first time. Raises as `adopt`."""
    method = method_of_text(text)
    return adopt_method_on(workspace, f"method:{hashlib.sha256(text.encode()).hexdigest()[:32]}", method, at_us)


def adopt_method_on(workspace: Workspace, key: str, method: MethodAdopted, at_us: int) -> dict[str, Any]:
    """Adopt a method under a key. Raises as `adopt`."""
    receipt = workspace.submit(key, method, at_us, lambda world: adopt(world, method))
    found = {"method": method.method, "version": method.version, "buffer": method.buffer}
    return {**found, "fact": receipt.first_seq + receipt.facts - 1, "repeated": receipt.repeated}


def method_of_text(text: str) -> MethodAdopted:
    """A method from YAML: its fields by name, words and whole numbers, an instant for ``commissioned_from``.

    Raises:
        Invalid: ``method.malformed``.
    """
    hint = f"Its fields: {', '.join(_METHOD)}."
    try:
        said = _plain_yaml(text)
        if not isinstance(said, dict) or said.keys() != set(_METHOD):
            raise ValueError("fields")
        if any(isinstance(one, list | dict) for name, one in said.items() if name != "technologies"):
            raise ValueError("lists")
        whole = [said["crediting_years"], said["buffer_bp"]]
        if not all(type(one) is int for one in whole) or not isinstance(said["technologies"], list):
            raise ValueError("numbers")
        return MethodAdopted(
            str(said["method"]),
            str(said["version"]),
            Baseline(said["baseline"]),
            str(said["source"]),
            str(said["factors_version"]),
            str(said["additionality"]),
            parse_iso(str(said["commissioned_from"])),
            said["crediting_years"],
            tuple(Technology(one) for one in said["technologies"]),
            Assurance(said["assurance"]),
            said["buffer_bp"],
            str(said["buffer"]),
        )
    except (yaml.YAMLError, ValueError, Invalid) as error:
        raise Invalid("method.malformed", "This is not a method of avoided emissions.", hint=hint) from error


def _plain_yaml(text: str) -> Any:
    """YAML of a few short lines: counted before it is built, so that nothing in it grows by being named again."""
    depth = 0
    if len(text) > METHOD_CHARS_MAX:
        raise ValueError("long")
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if isinstance(event, yaml.AliasEvent) or depth > METHOD_DEPTH_MAX:
            raise ValueError("alias or depth")
    return yaml.safe_load(text)


def factors_of_csv(text: str) -> tuple[tuple[str, ...], dict[str, Column]]:
    """Zones and columns of ``factor/1`` from a CSV text with the heads `HEADS`; an empty cell is a figure not given.

    Grams are read to the milligram, rounded up; per cent to the basis point, rounded down.

    Raises:
        Invalid: ``factors.csv``, naming the line; ``factors.too_many``.
    """
    lines = csv.DictReader(io.StringIO(text, newline=None), strict=True)
    if _heads(lines) != HEADS:
        raise Invalid("factors.csv", "The first line is not the heads of factors.", hint=",".join(HEADS), line=1)
    zones: dict[str, int] = {}
    rows: list[tuple[int, ...]] = []
    try:
        for line in lines:
            rows.append(_row(line, zones))
            if len(rows) > ROWS_MAX:
                raise Invalid("factors.too_many", f"A publication has at most {ROWS_MAX:,} rows.")
    except (csv.Error, ValueError, InvalidOperation, TypeError, AttributeError) as error:
        hint = "2025-01-01T00:00:00Z for instants, digits and a point for figures."
        raise Invalid(
            "factors.csv", f"Line {lines.line_num} cannot be read.", hint=hint, line=lines.line_num
        ) from error
    names = [name for name, _ in FACTORS.fixed]
    columns = np.array(rows, dtype=np.int64).reshape(-1, len(names)).T
    return tuple(zones), dict(zip(names, columns, strict=True))


def _heads(lines: csv.DictReader[str]) -> tuple[str, ...]:
    try:
        return tuple(lines.fieldnames or ())
    except csv.Error:
        return ()


def _row(line: Mapping[str, str], zones: dict[str, int]) -> tuple[int, ...]:
    if len(line) > len(HEADS):
        raise ValueError("more cells than heads")
    zone = zones.setdefault(line["zone"].strip(), len(zones))
    figures = [_whole(line[head], 1_000, ROUND_CEILING) for head in _FIGURES]
    free = _whole(line["carbon_free_percent"], 100, ROUND_FLOOR)
    return (zone, _instant(line["start"]), _instant(line["stop"]), *figures, free)


def _instant(text: str) -> int:
    try:
        return parse_iso(text.strip())
    except Invalid as error:
        raise ValueError(text) from error


def _whole(text: str, times: int, rounding: str) -> int:
    if not text.strip():
        return -1
    value = Decimal(text.strip())
    if not value.is_finite() or not 0 <= value <= 100_000:
        raise ValueError(text)
    return int((value * times).to_integral_value(rounding))


def rows(workspace: Workspace) -> list[dict[str, Any]]:
    """Every publication of factors, as rows for the doors."""

    def look(world: World) -> list[dict[str, Any]]:
        return [
            {
                "source": name.source,
                "version": name.version,
                "basis": fact.basis,
                "zones": list(fact.zones),
                "rows": fact.segment.rows,
                "fact": seq,
                "root": fact.segment.root.hex(),
            }
            for name, published in world.carbon.factors.facts.items()
            for seq, fact in published
        ]

    return workspace.read(look)


def method_rows(workspace: Workspace) -> list[dict[str, Any]]:
    """Every adopted method, as rows for the doors."""
    methods = workspace.read(lambda world: list(world.carbon.methods.values()))
    return [
        {
            "method": one.method,
            "version": one.version,
            "baseline": one.baseline.value,
            "factors": f"{one.source} {one.factors_version}",
            "additionality": one.additionality,
            "commissioned_from": iso(one.commissioned_from_us),
            "crediting_years": one.crediting_years,
            "technologies": [each.value for each in one.technologies],
            "assurance": one.assurance.value,
            "buffer_bp": one.buffer_bp,
            "buffer": one.buffer,
        }
        for one in methods
    ]

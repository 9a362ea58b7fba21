"""Match files: rows of certificates against rows of consumption, from CSV or Parquet, and what supplies what.

Nothing is recorded: this is the same matching as that of certificates held here, for whoever wants to see it first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from penstock.energy.matching import Rules, Side, match
from penstock.errors import Invalid, NotFound
from penstock.journal.overlay import Edges
from penstock.journal.segment import Column

Row = dict[str, Any]
MINUTE_US: Final = 60_000_000
HOUR_MINUTES: Final = 60
NEEDED: Final = {
    "zone": pa.string(),
    "interval": pa.timestamp("us", tz="UTC"),
    "owner": pa.string(),
    "energy_wh": pa.int64(),
}
MORE: Final = {"minutes": pa.int64(), "price_usdc_micro_per_mwh": pa.int64(), "carbon_mg_per_kwh": pa.int64()}
WHOLE_BASIS_POINTS: Final = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class Sheet:
    """One side as read: its table, and the zone number of each row."""

    table: pa.Table
    zone: Column

    def column(self, name: str) -> Column | None:
        """A column of whole numbers, None where the file has none."""
        if name not in self.table.column_names:
            return None
        values: Column = self.table[name].to_numpy()
        return values

    def side(self) -> Side:
        """The rows as the kernel takes them."""
        interval: Column = self.table["interval"].cast(pa.int64()).to_numpy()
        minutes = self.column("minutes")
        length = np.full(len(interval), HOUR_MINUTES) if minutes is None else minutes
        return Side(
            self.zone, interval, np.clip(length, 0, HOUR_MINUTES + 1) * MINUTE_US, self.table["energy_wh"].to_numpy(),
            self.column("price_usdc_micro_per_mwh"), self.column("carbon_mg_per_kwh"),
        )  # fmt: skip


def match_files(supply: Path, demand: Path, rules: Rules, out: Path | None = None) -> Row:
    """What of ``supply`` suits what of ``demand``; each meeting is a row of ``out``, CSV or Parquet by its name.

    Columns: zone, interval (its start, ISO 8601 with an offset), owner, energy_wh; and where wanted minutes (15, 30 or
    60; an hour by default), price_usdc_micro_per_mwh, carbon_mg_per_kwh.

    Raises:
        NotFound: ``file.missing``. Invalid: ``match.file`` for one that cannot be read, lacks a column or has an empty
        cell. As `energy.matching.match`.
    """
    tables = [_read(path) for path in (supply, demand)]
    zones = sorted({one for table in tables for one in pc.unique(table["zone"]).to_pylist()})
    numbers = pa.array(zones, pa.string())
    sheets = [Sheet(table, pc.index_in(table["zone"], numbers).to_numpy().astype(np.int64)) for table in tables]
    edges = match(sheets[0].side(), sheets[1].side(), zones, rules)
    if out is not None:
        _write(out, _meetings(sheets, edges))
    return _told(tables, edges, rules)


def _read(path: Path) -> pa.Table:
    if not path.is_file():
        raise NotFound("file.missing", f"There is no file {path.name}.", file=path.name)
    try:
        table = _parquet(path) if path.suffix == ".parquet" else _csv(path)
    except (pa.ArrowException, OSError) as error:
        said = str(error).partition("\n")[0][:200]
        raise Invalid("match.file", f"{path.name} cannot be read: {said}", file=path.name) from None
    missing = [name for name in NEEDED if name not in table.column_names]
    if missing:
        raise Invalid("match.file", f"{path.name} has no column {missing[0]}.", hint="See docs/matching.md.")
    holes = [name for name in table.column_names if table[name].null_count]
    if holes:
        raise Invalid("match.file", f"{path.name} has an empty cell in {holes[0]}.", file=path.name)
    return table


def _csv(path: Path) -> pa.Table:
    convert = pa.csv.ConvertOptions(column_types=NEEDED | MORE, strings_can_be_null=True)
    table = pa.csv.read_csv(path, convert_options=convert)
    return table.select([name for name in table.column_names if name in NEEDED | MORE])


def _parquet(path: Path) -> pa.Table:
    wanted = NEEDED | MORE
    table = pa.parquet.read_table(path)
    table = table.select([name for name in table.column_names if name in wanted])
    return table.cast(pa.schema([(name, wanted[name]) for name in table.column_names]))


def _meetings(sheets: Sequence[Sheet], edges: Edges) -> pa.Table:
    """One row a meeting: from whom, to whom, when, how much, and the rows of both files it comes from."""
    left, right = sheets[0].table.take(pa.array(edges.left)), sheets[1].table.take(pa.array(edges.right))
    columns = {
        "interval": right["interval"],
        "zone_from": left["zone"],
        "zone_to": right["zone"],
        "owner_from": left["owner"],
        "owner_to": right["owner"],
        "energy_wh": pa.array(edges.units),
        "certificate_row": pa.array(edges.left),
        "consumption_row": pa.array(edges.right),
    }
    return pa.table(columns)


def _write(path: Path, table: pa.Table) -> None:
    if path.suffix == ".parquet":
        pa.parquet.write_table(table, path)
    else:
        pa.csv.write_csv(table, path)


def _told(tables: Sequence[pa.Table], edges: Edges, rules: Rules) -> Row:
    supplied, drawn = (int(np.sum(table["energy_wh"].to_numpy())) for table in tables)
    matched = int(edges.units.sum())
    return {
        "rules": str(rules),
        "certificates_wh": supplied,
        "drawn_wh": drawn,
        "matched_wh": matched,
        "matched_basis_points": matched * WHOLE_BASIS_POINTS // drawn if drawn else 0,
        "meetings": len(edges),
    }

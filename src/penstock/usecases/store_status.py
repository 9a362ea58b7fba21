"""Store status: what lies on the disk, format by format, and what is left to put together or to clean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from penstock.journal.formats import FORMATS
from penstock.store.opening import open_store
from penstock.store.place_table import unpack_mask
from penstock.store.segments import file_name
from penstock.usecases.compact import ROWS_MAX, named_segments


def store_status(workspace: Path) -> dict[str, Any]:
    """Segments, files, rows and bytes by format; seeds; files that nothing names. Reads no rows.

    Raises:
        NotFound: ``store.no_workspace``.
    """
    with open_store(workspace, read_only=True) as store:
        places, sizes = {place.segment: place for place in store.rows.places.all()}, store.file_sizes()
        in_sql = store.rows.small.digests()
        formats: dict[str, dict[str, Any]] = {}
        files: dict[str, set[str]] = {}
        small: dict[str, int] = {}
        for digest, name, rows in named_segments(store):
            place = places.get(digest)
            one = formats.setdefault(name, {"segments": 0, "rows": 0, "erased": 0})
            one["segments"] += 1
            one["rows"] += rows
            one["erased"] += int(unpack_mask(place.erased, place.total).sum()) if place and place.erased else 0
            file = place.file if place else digest
            if file is not None and file not in in_sql:
                files.setdefault(name, set()).add(file)
                small[file] = small.get(file, 0) + (place.rows if place else rows)
        for name, one in formats.items():
            held = files.get(name, set())
            one |= {
                "files": len(held),
                "small_files": sum(small[file] < ROWS_MAX for file in held),
                "bytes": sum(sizes.get(file_name(file), 0) for file in held),
                "erasable": bool(FORMATS[name].subject),
                "salted": FORMATS[name].salted,
            }
        return {
            "facts": store.size(),
            "files": len({file for held in files.values() for file in held}),
            "bytes": sum(sizes.values()),
            "in_sql": len(in_sql),
            "seeds": store.rows.seeds.count(),
            "left_over": store.litter(),
            "formats": formats,
        }

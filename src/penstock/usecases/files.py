"""Files of unsigned readings for a watched folder: CSV, Parquet, Green Button, and containers of signed records.

A file is read whole, at most 128 MiB of it. What it holds is carried at the level declared; rows that cannot be read
cost no other its place and are told of at the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

from penstock.connect.folder import READERS, Part, Reader
from penstock.connect.ports import Arrived
from penstock.energy.forms.csv_rows import read_csv
from penstock.energy.forms.green_button import read_green_button
from penstock.energy.forms.parquet_rows import read_parquet
from penstock.energy.forms.rows import FILE_BYTES_MAX, FileRead
from penstock.energy.forms.safe_xml import read_container
from penstock.energy.parsed import Messages
from penstock.errors import Invalid
from penstock.journal.words import Form

ROWS_REFUSED: Final = "connect.rows_refused"
_PART: Final = 1_000
_SHOWN: Final = 5


def read_whole(path: Path) -> bytes:
    """A file's bytes. Raises Invalid ``file.too_long``."""
    if path.stat().st_size > FILE_BYTES_MAX:
        raise Invalid("file.too_long", "The file has more than 128 MiB.", hint="Split it.")
    return path.read_bytes()


def carried(read: Callable[[bytes, Path], FileRead]) -> Reader:
    """A reader of one kind of file; raises Invalid ``connect.rows_refused`` behind the rows that were taken."""

    def parts(path: Path) -> Iterator[Part]:
        found = read(read_whole(path), path)
        yield from _parts([Arrived(Form.CARRIED, raw) for raw in found.messages])
        if found.refused:
            some = ", ".join(f"row {fault.row} {fault.code}" for fault in found.faults[:_SHOWN])
            hint = "All other rows are taken. Put these right, and drop them in a file of another name."
            raise Invalid(
                "connect.rows_refused", f"{found.refused} rows were not taken: {some}.", hint=hint, rows=found.refused
            )

    return parts


def read_xml(path: Path) -> Iterator[Part]:
    """A container of signed records, or a Green Button feed of the device that the file is named for."""
    raw = read_whole(path)
    if b"<values" in raw[:1_024]:
        yield from _parts([Arrived(Form.OCMF, one.raw) for one in read_container(raw)])
    else:
        yield from carried(lambda feed, at: read_green_button(feed, at.stem))(path)


def _parts(messages: list[Arrived]) -> Iterator[Part]:
    for start in range(0, len(messages), _PART):
        yield messages[start : start + _PART]


def messages_in(path: Path) -> tuple[Messages, Invalid | None]:
    """All messages of a file of another kind than our own packets, and what could not be read beside them.

    Raises:
        Invalid: as the reader of its suffix, where nothing can be read.
    """
    messages: list[tuple[Form, bytes]] = []
    try:
        for part in ALL_READERS[path.suffix](path):
            messages += [(one.form, one.raw) for one in part if isinstance(one, Arrived)]
    except Invalid as error:
        if error.code != ROWS_REFUSED:
            raise
        return messages, error
    return messages, None


ALL_READERS: Final[Mapping[str, Reader]] = {
    **READERS,
    ".csv": carried(lambda raw, _path: read_csv(raw)),
    ".parquet": carried(lambda raw, _path: read_parquet(raw)),
    ".xml": read_xml,
}
"""Every kind of file a folder takes, by its suffix."""

"""Audit: clean on a whole record; one byte changed in a segment is found and named."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from small_plant import Plant

from penstock.errors import NotFound
from penstock.usecases.audit import audit_workspace


@pytest.fixture
def copied(lived: Plant, tmp_path: Path) -> Path:
    """A copy of the workspace, for tests that damage it."""
    return Path(shutil.copytree(lived.workspace.path, tmp_path / "copy"))


def test_a_whole_record_is_clean(lived: Plant) -> None:
    audit = audit_workspace(lived.workspace.path)
    assert audit.findings == ()
    assert audit.to_json()["clean"] is True
    assert audit.root == lived.workspace.tree().root()
    books = lived.world.books
    assert audit.checked == {
        "facts": lived.workspace.store.size(),
        "segments": sum(1 for row in lived.workspace.facts() if row.segment),
        "registers": len(books.registers),
        "titles": sum(len(book) for book in books.titles.values()),
        "links": sum(len(book) for book in books.links.values()),
        "accounts": len(books.accounts),
    }
    assert audit.checked["segments"] > 20


def change_file(file: Path, place: float) -> None:
    """One bit of a segment's file."""
    raw = bytearray(file.read_bytes())
    raw[int(place * (len(raw) - 1))] ^= 1
    file.chmod(0o644)
    file.write_bytes(raw)


def change_row(workspace: Path, digest: str, place: float) -> None:
    """One bit of a segment that lies in SQL."""
    with closing(sqlite3.connect(workspace / "journal.sqlite", isolation_level=None)) as connection:
        (data,) = connection.execute("SELECT data FROM small_segment WHERE segment = ?", (digest,)).fetchone()
        raw = bytearray(data)
        raw[int(place * (len(raw) - 1))] ^= 1
        connection.execute("UPDATE small_segment SET data = ? WHERE segment = ?", (bytes(raw), digest))


@pytest.mark.parametrize("place", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("which", [0, 5, -1])
def test_a_changed_byte_is_found_and_its_segment_named(lived: Plant, copied: Path, which: int, place: float) -> None:
    segments = [(row.recorded.seq, row.segment) for row in lived.workspace.facts() if row.segment]
    seq, digest = segments[which]
    files = list(copied.rglob(f"{digest}*"))
    change_file(files[0], place) if files else change_row(copied, digest, place)
    assert bool(files) == (which != -1)  # the last is small
    audit = audit_workspace(copied)
    assert audit.to_json()["clean"] is False
    found = [dict(one.ids) for one in audit.findings]
    assert {"segment": digest, "seq": str(seq)}.items() <= found[0].items()
    assert audit.findings[0].code == "store.segment_torn"
    assert audit_workspace(lived.workspace.path).findings == ()


def test_a_lost_segment_is_found_and_named(lived: Plant, copied: Path) -> None:
    digest = next(row.segment for row in lived.workspace.facts() if row.segment)
    (file,) = copied.rglob(f"{digest}*")
    file.unlink()
    (first, *_) = audit_workspace(copied).findings
    assert (first.code, dict(first.ids)["segment"]) == ("store.segment_missing", digest)


def test_an_audit_changes_nothing(copied: Path) -> None:
    before = _files(copied)
    audit_workspace(copied)
    assert _files(copied) == before


def _files(folder: Path) -> dict[Path, bytes]:
    """Every file but the shared memory that readers of the journal meet in."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file() and path.suffix != ".sqlite-shm"}


def test_where_there_is_no_workspace_there_is_no_audit(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        audit_workspace(tmp_path / "nowhere")
    assert caught.value.code == "store.no_workspace"
    assert not (tmp_path / "nowhere").exists()

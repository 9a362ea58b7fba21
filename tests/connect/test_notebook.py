"""The notebook survives, belongs to its owner alone, and says when it is damaged."""

from __future__ import annotations

from pathlib import Path

import pytest

from penstock.connect.notebook import Notebook
from penstock.errors import Corrupt, Unavailable


def test_entries_survive_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "notes.json"
    Notebook(path).put({"a": [1, 2], "token": "secret"})
    Notebook(path).put({"a": 3})
    again = Notebook(path)
    assert (again.get("a"), again.get("token"), again.get("b")) == (3, "secret", None)
    assert path.stat().st_mode & 0o777 == 0o600
    assert "secret" not in repr(again)


def test_a_damaged_notebook_stops_the_connector(tmp_path: Path) -> None:
    path = tmp_path / "notes.json"
    path.write_bytes(b'{"a": 1')
    with pytest.raises(Corrupt) as caught:
        Notebook(path)
    assert caught.value.code == "connect.notebook"


def test_what_could_not_be_written_is_not_remembered(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    notebook = Notebook(folder / "notes.json")
    folder.rmdir()
    with pytest.raises(Unavailable) as caught:
        notebook.put({"a": 1})
    assert caught.value.code == "connect.disk"
    assert notebook.get("a") is None

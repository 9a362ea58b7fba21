"""Notebook: what a connector has to remember between two visits, in one small file that is replaced whole."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from penstock.errors import Corrupt, Unavailable


class Notebook:
    """Durable entries by name: where counters stood, how far a history was read, a cloud's refreshed token.

    Readable by its owner alone (0600), since tokens may be in it. One process writes it.

    Raises:
        Corrupt: ``connect.notebook`` when the file is not what was written.
        Unavailable: ``connect.disk`` when it cannot be read or written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: dict[str, Any] = _read(path)

    def get(self, name: str) -> Any:
        """The entry, or None."""
        return self._entries.get(name)

    def put(self, entries: Mapping[str, Any]) -> None:
        """Set several entries at once; returns once they are on the disk, all of them or none."""
        whole = {**self._entries, **entries}
        try:
            _replace(self._path, json.dumps(whole, sort_keys=True).encode())
        except OSError as error:
            raise Unavailable("connect.disk", "The connector's notebook cannot be written.") from error
        self._entries = whole

    def __repr__(self) -> str:
        return f"Notebook({self._path.name}, {len(self._entries)} entries)"


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise Unavailable("connect.disk", "The connector's notebook cannot be read.") from error
    try:
        entries = json.loads(raw)
    except ValueError:
        entries = None
    if not isinstance(entries, dict):
        raise Corrupt("connect.notebook", "The connector's notebook is damaged.", hint="Restore it from the backup.")
    return entries


def _replace(path: Path, data: bytes) -> None:
    beside = path.with_name(path.name + ".new")
    with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

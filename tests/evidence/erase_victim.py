"""Erases or compacts a workspace and kills itself at a named point of the commit. Arguments: folder, act, point."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from penstock.store.opening import open_store
from penstock.store.sql_store import SqlStore
from penstock.usecases import workspace
from penstock.usecases.compact import compact
from penstock.usecases.erase import ErasureAsked, erase


def main(folder: str, act: str, point: str) -> None:
    def at_point(name: str) -> None:
        if name == point:
            os.kill(os.getpid(), signal.SIGKILL)

    def opened(path: Path, *, read_only: bool = False) -> SqlStore:
        return open_store(path, read_only=read_only, at_point=at_point)

    workspace.open_store = opened  # type: ignore[attr-defined, assignment]
    if act == "compact":
        compact(Path(folder), 1)
    else:
        erase(Path(folder), ErasureAsked(("roof-a",), "", 0), 1)
    print("done", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""Puts the chains of all devices into a spool and drains it into a workspace, until killed: at the ``count``-th passing
of ``point``, or from outside. Arguments: folder, point, count.
"""

from __future__ import annotations

import sys
from pathlib import Path

from connect_kit import DEVICES, chain_of, suicide

from penstock.connect.spool import Spool
from penstock.store.sqlite_store import SqliteStore
from penstock.usecases.collect import into_workspace
from penstock.usecases.workers import Workers
from penstock.usecases.workspace import Workspace


def main(folder: str, point: str, count: str) -> None:
    at_point = suicide(point, int(count))
    chains = [chain_of(device, 40) for device in DEVICES]
    opened = SqliteStore.open
    SqliteStore.open = classmethod(lambda cls, path, **_: opened(path, at_point=at_point))  # type: ignore[assignment]
    with Workspace(Path(folder) / "ws") as workspace, Spool(Path(folder) / "spool.sqlite") as spool:
        print("open", flush=True)
        deliver = into_workspace(workspace, Workers())
        for step in zip(*chains, strict=True):
            spool.put(step)
            while batch := spool.cut(messages_max=2):
                at_point("cut")
                deliver(batch)
                at_point("delivered")
                spool.done(batch.number)


if __name__ == "__main__":
    main(*sys.argv[1:])

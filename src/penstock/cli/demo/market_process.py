"""A provider of the demo's market, with a real model, in a process of its own.

What it answers is real and timed; the hour in which it does so is the replayed one. Its standard input carries what is
changed meanwhile, a line each, and its end ends the process, however the play ends.
"""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from penstock.connect.inference.engine import Engine
from penstock.connect.inference.workbook import Workbook
from penstock.period import SECOND_US
from penstock.usecases.facilitate import now_us

PORT: Final = "port"


@dataclass(slots=True)
class ReplayClock:
    """Instants [us] of the replayed hour: as far behind the wall as ``behind_us``."""

    behind_us: int

    def __call__(self) -> int:
        """Now, in the replay."""
        return now_us() - self.behind_us


def main(said: dict[str, Any]) -> None:
    """Serve what ``said`` asks for until standard input ends."""
    with ExitStack() as stack:
        act = _provider(stack, said)
        for line in sys.stdin:
            _tell(act(json.loads(line)))


def _tell(said: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def _provider(stack: ExitStack, said: dict[str, Any]) -> Any:
    from penstock.api.inference.papers import provider_app
    from penstock.api.running import serve_in_thread
    from penstock.mcp.door import mount
    from penstock.mcp.provider import provider_door
    from penstock.usecases.provider.offer import read_offer
    from penstock.usecases.provider.open_gate import open_gate
    from penstock.usecases.provider.provider import Provider

    folder = Path(said["folder"])
    offer, clock = read_offer(folder), replay_clock(folder, said["starts_us"])
    gate = open_gate(offer, folder, said["facilitator"], said["rpc"], now_us)
    stack.callback(gate.till.close)
    made = Provider(folder, _engine(said["engine"]), offer, clock, gate=gate, reports=False, quote_clock=now_us)
    provider = stack.enter_context(made)
    app = provider_app(provider)
    mount(app, provider_door(provider))
    url = stack.enter_context(serve_in_thread(app, _port(folder))).url
    (folder / PORT).write_text(url.rpartition(":")[2])
    provider.set_offer(replace(provider.offer, url=url))
    _tell({"url": url, "model": provider.model, "power": provider.meter.power.source})

    def act(asked: dict[str, Any]) -> dict[str, Any]:
        if asked.get("close"):
            provider.close_interval()
        provider.set_offer(replace(provider.offer, **asked.get("offer", {})))
        return asked

    return act


def _engine(file: str) -> Engine:
    from penstock.usecases.provider.load_engine import load_engine

    return load_engine(file)


def _port(folder: Path) -> int:
    """Where it answered before, since payments that are out are meant for that address; else any free one."""
    return int((folder / PORT).read_text()) if (folder / PORT).exists() else 0


def replay_clock(folder: Path, starts_us: int) -> ReplayClock:
    """It begins at ``starts_us``, or a second behind what was metered before."""
    with Workbook(folder) as workbook:
        last = workbook.last_sample()
    begins_us = max(starts_us, last.at_us + SECOND_US if last else 0)
    return ReplayClock(now_us() - begins_us)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))

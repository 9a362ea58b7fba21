"""The demo's market: two providers as processes, which end with the play, and the facilitator beside it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, Final

from penstock.api.running import serve_in_thread
from penstock.cli.demo.play import Stagehand
from penstock.errors import Unavailable

MODULE: Final = "penstock.cli.demo.market_process"


@dataclass(slots=True)
class Stand:
    """One process of the market: where it answers, and a way to tell it something."""

    name: str
    process: subprocess.Popen[str]
    errors: Path
    said: dict[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where it answers."""
        return str(self.said["url"])

    def ready(self) -> None:
        """Wait until it serves. Raises Unavailable ``demo.market``."""
        self.said = self._hear()

    def tell(self, **asked: Any) -> None:
        """Change something, and wait until it is done. Raises Unavailable ``demo.market``."""
        assert self.process.stdin is not None  # noqa: S101 (opened with a pipe)
        try:
            self.process.stdin.write(json.dumps(asked) + "\n")
            self.process.stdin.flush()
        except OSError:
            pass  # it is gone: what it said last is told below
        self._hear()

    def _hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None  # noqa: S101 (opened with a pipe)
        line = self.process.stdout.readline()
        if not line:
            said = self.errors.read_text().strip().splitlines()
            hint = f"See {self.errors}; then run the demo again."
            sentence = f"{self.name} stopped: {said[-1] if said else 'no reason given'}"
            raise Unavailable("demo.market", sentence, hint=hint)
        found: dict[str, Any] = json.loads(line)
        return found


@contextmanager
def facilitator(hand: Stagehand, folder: Path) -> Iterator[str]:
    """Where payments are settled on the play's own chain, over HTTP."""
    from penstock.api.facilitator.app import make_facilitator_app
    from penstock.usecases.facilitate import make_facilitator

    folder.mkdir(parents=True, exist_ok=True)
    key, assets = hand.cast.chain_key("facilitator"), [hand.desk.contract("Dollar").address]
    made = make_facilitator(hand.desk.client, key, folder / "settled.sqlite", assets)
    with closing(made), serve_in_thread(make_facilitator_app(made, made.get_supported().kinds[0].network)) as running:
        yield running.url


@contextmanager
def market(folder: Path, providers: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Stand]]:
    """The providers by name; all end here. Raises as `Stand.ready`."""
    with ExitStack() as stack:
        stands = {name: stack.enter_context(_stand(folder, name, said)) for name, said in providers.items()}
        for stand in stands.values():
            stand.ready()
        yield stands


@contextmanager
def _stand(folder: Path, name: str, said: Mapping[str, Any]) -> Iterator[Stand]:
    own = folder / name
    own.mkdir(parents=True, exist_ok=True)
    errors = own / "said.err"
    with errors.open("w") as opened:
        process = _started({**said, "folder": str(own)}, opened)
        try:
            yield Stand(name, process, errors)
        finally:
            process.communicate()  # its input ends, so does it


def _started(said: Mapping[str, Any], errors: IO[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 (this very program)
        [sys.executable, "-m", MODULE, json.dumps(said)],
        stdin=subprocess.PIPE,  # closes with this process, however it ends
        stdout=subprocess.PIPE,
        stderr=errors,
        text=True,
    )

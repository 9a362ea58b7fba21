"""Three attester processes: each with its own key, each checking the record itself, voting on chain."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from penstock.cli.attest import PASSPHRASE as PASSPHRASE_VARIABLE
from penstock.cli.demo.cast import ATTESTERS, PASSPHRASE
from penstock.errors import Unavailable

PATIENCE_S: Final = 300


@dataclass(frozen=True, slots=True)
class Attesters:
    """The running processes by name, and where each one's words go."""

    processes: dict[str, subprocess.Popen[bytes]]
    folder: Path

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by name."""
        return {name: process.pid for name, process in self.processes.items()}

    def check(self) -> None:
        """That a quorum can still be reached. Raises Unavailable ``demo.attesters``, with what the last one said."""
        failed = [name for name, process in self.processes.items() if process.poll() not in (None, 0)]
        if len(failed) > 1:
            said = (self.folder / f"{failed[0]}.err").read_text().strip().splitlines()
            hint = f"See {self.folder}, and whether the disk is full; then run the demo again."
            raise Unavailable(
                "demo.attesters", f"{failed} stopped: {said[-1] if said else 'no reason given'}", hint=hint
            )


@contextmanager
def attesters(source: str, rpc: str, deal: str, keys: Path, periods: int) -> Iterator[Attesters]:
    """Start the three and stop whatever still runs at the end."""
    running: dict[str, subprocess.Popen[bytes]] = {}
    logs = keys.parent / "attesters"
    logs.mkdir(exist_ok=True)
    opened: list[IO[bytes]] = []
    try:
        for name in ATTESTERS:
            out, err = (logs / f"{name}.out").open("wb"), (logs / f"{name}.err").open("wb")
            opened += [out, err]
            running[name] = subprocess.Popen(  # noqa: S603 (this very program)
                _command(source, rpc, deal, keys, name, periods),
                stdin=subprocess.PIPE,  # closes with this process, however it ends: then the attester ends too
                stdout=out,
                stderr=err,
                env=_environment(),
            )
        yield Attesters(running, logs)
    finally:
        for process in running.values():
            if process.poll() is None:
                process.terminate()
        for process in running.values():
            process.communicate()
        for file in opened:
            file.close()


def _command(source: str, rpc: str, deal: str, keys: Path, name: str, periods: int) -> list[str]:
    options = ["--source", source, "--rpc", rpc, "--deal", deal, "--keys", str(keys), "--key", name]
    options += ["--periods", str(periods), "--follow", "--until-eof", "--json"]
    return [sys.executable, "-m", "penstock", "attest", *options]


def _environment() -> dict[str, str]:
    return os.environ | {PASSPHRASE_VARIABLE: PASSPHRASE}


def wait_until(done: Iterator[bool], running: Attesters) -> None:
    """Poll until ``done`` yields True; Unavailable ``demo.no_quorum`` after five minutes, or as `Attesters.check`."""
    deadline = time.monotonic() + PATIENCE_S
    for ready in done:
        if ready:
            return
        running.check()
        if time.monotonic() > deadline:
            raise Unavailable("demo.no_quorum", "The attesters did not reach a quorum.", hint="Run the demo again.")
        time.sleep(0.05)

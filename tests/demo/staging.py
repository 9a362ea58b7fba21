"""Plays the demo in processes of its own, watches how far it is, stops it, and asks the chain what was done."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from unittest import mock

from penstock.capital.decode import decode
from penstock.chain.artefact import Artefact, call_data, event, load_artefact, result
from penstock.chain.client import ChainClient
from penstock.chain.provider import NodeProvider
from penstock.cli.main import run
from penstock.journal.kinds.capital import DealLaunched, DealOriginated
from penstock.journal.kinds.chain import ChainAdopted
from penstock.store.sqlite_store import SQL_FILE
from penstock.usecases.own_chain import open_chain
from penstock.usecases.workspace import Workspace

DEAL: Final = "mixed-pool"
SMALL: Final = ("--roofs", "8", "--holders", "12", "--days", "2")
WRITTEN: Final = (
    *("bundle.json", "bundle-evening.json", "bundle-sold.json", "story.html", "report247.html", "report247.json"),
    *("look-through.json", "investor-report/report.html", "investor-report/report.json", "investor-report/steps.csv"),
)
"""Files that a play leaves for people and for whoever checks it."""
PATIENCE_S: Final = 240
SENTENCE: Final = "Stopped. Everything acknowledged is kept; run the same command again to go on."
# Ctrl-C works in the child even where the tests themselves run in a shell's background, which ignores it.
_PENSTOCK: Final = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
    "from penstock.cli.main import run; run()"
)
_QUERIES: Final = {
    "fact": "select 1 from fact where key = ? limit 1",
    "outbox": "select 1 from outbox where id = ?",
}
_TIMES: Final = frozenset({"seconds", "facts_added", "attesters"})
# What two providers really drew and took differs from play to play, and with it the journal's root; tokens, dollars,
# decisions, what is proved and how often do not.
_MEASURED: Final = frozenset({"energy_mj", "root", "text", "sold"})
_REAL_RACKS: Final = "micro-"


@dataclass(frozen=True, slots=True)
class Played:
    """A finished play: where, and the object it printed."""

    workspace: Path
    told: dict[str, Any]

    @property
    def root(self) -> str:
        """The journal's root at the end."""
        return str(self.stage("prove")["root"])

    def stage(self, name: str) -> dict[str, Any]:
        """A stage's figures."""
        found: dict[str, Any] = self.told["stages"][name]
        return found

    def figures(self) -> Any:
        """All it told but times, process ids, how many facts were new, where it lay, and what was really measured."""
        return _without_times(json.loads(json.dumps(self.told).replace(str(self.workspace), "WORKSPACE")))


def _without_times(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_times(inner) for name, inner in value.items() if name not in _TIMES | _MEASURED}
    if isinstance(value, list):
        return [_without_times(inner) for inner in value if not _of_a_real_rack(inner)]
    return value


def _of_a_real_rack(value: Any) -> bool:
    return isinstance(value, dict) and str(value.get("source", "")).startswith(_REAL_RACKS)


def check_written(workspace: Path) -> None:
    """That every file a play leaves is there, and holds by its own check."""
    for name in WRITTEN:
        assert (workspace / name).stat().st_size, name
    for bundle in ("bundle.json", "bundle-evening.json", "bundle-sold.json"):
        assert penstock_here("verify", workspace / bundle).returncode == 0, bundle
    report = workspace / "investor-report" / "report.json"
    assert penstock_here("deal", "verify", report, "--against", workspace).returncode == 0
    carbon = penstock_here("certificate", "carbon", "check", workspace / "report247.json", "--against", workspace)
    assert carbon.returncode == 0


def penstock(*words: str | Path, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [sys.executable, "-c", _PENSTOCK, *map(str, words)]
    given = None if env is None else os.environ | env
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False, env=given)


def penstock_here(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """The same in this process, for commands that end soon: no start-up."""
    out, err = io.StringIO(), io.StringIO()
    given, code = [str(word) for word in words], 0
    with mock.patch.object(sys, "argv", ["penstock", *given]), redirect_stdout(out), redirect_stderr(err):
        try:
            run()
        except SystemExit as end:
            code = int(end.code or 0)
    return subprocess.CompletedProcess(given, code, out.getvalue(), err.getvalue())


def play(workspace: Path, *options: str, size: tuple[str, ...] = SMALL) -> Played:
    """Play to the end."""
    done = penstock("demo", "-w", workspace, "--json", *size, *options)
    assert done.returncode == 0, done.stdout[-2_000:] + done.stderr[-2_000:]
    return Played(workspace, json.loads(done.stdout))


@dataclass(slots=True)
class Underway:
    """A play in a process group of its own, so that nothing it starts can be overlooked."""

    workspace: Path
    process: subprocess.Popen[str]

    @classmethod
    def start(cls, workspace: Path, *options: str, size: tuple[str, ...] = SMALL) -> Underway:
        """Start it."""
        command = [sys.executable, "-c", _PENSTOCK, "demo", "-w", str(workspace), "--json", *size, *options]
        pipe = subprocess.PIPE
        return cls(workspace, subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, start_new_session=True))

    def wait_for(self, reached: Callable[[Path], bool]) -> bool:
        """Whether it came so far before it ended."""
        deadline = time.monotonic() + PATIENCE_S
        while self.process.poll() is None:
            if reached(self.workspace):
                return True
            assert time.monotonic() < deadline, "the play does not get there"
            time.sleep(0.002)
        return False

    def end(self, how: signal.Signals, whole_group: bool = False) -> tuple[int, str]:
        """Signal it, or it and all it started as a terminal does; its exit code and what it said on stderr."""
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if whole_group else os.kill)(self.process.pid, how)
        _, said = self.process.communicate(timeout=PATIENCE_S)
        return self.process.returncode, said

    def group_is_gone(self, within_s: float) -> bool:
        """Whether no process of its group is left; one that is, is killed, so that none outlives a test."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            if not self.group():
                return True
            time.sleep(0.05)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        return False

    def group(self) -> list[int]:
        """Process ids of its group that live; one that ended and was not yet asked how is none."""
        return [pid for pid, (group, state) in _processes() if group == self.process.pid and state != "Z"]


def _processes() -> Iterator[tuple[int, tuple[int, str]]]:
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, group = file.read_text().rpartition(")")[2].split()[:3]
            yield int(file.parent.name), (int(group), state)


@dataclass(frozen=True, slots=True)
class Point:
    """A point of a play: a command recorded (``fact``) or a transaction planned (``outbox``), and seconds since."""

    table: str
    name: str
    later_s: float = 0.0

    def reached(self, workspace: Path) -> bool:
        """Whether it is reached; waits those seconds then."""
        if not _there(workspace, _QUERIES[self.table], self.name):
            return False
        time.sleep(self.later_s)
        return True


def _there(workspace: Path, query: str, name: str) -> bool:
    with contextlib.suppress(sqlite3.Error):
        connection = sqlite3.connect(f"file:{workspace / SQL_FILE}?mode=ro", uri=True)
        try:
            return connection.execute(query, (name,)).fetchone() is not None
        finally:
            connection.close()
    return False


def points_of(workspace: Path) -> list[tuple[str, str]]:
    """Every point of a finished play: table and name."""
    with Workspace(workspace, read_only=True) as opened:
        keys = dict.fromkeys(row.key for row in opened.facts())
        return [("fact", key) for key in keys] + [("outbox", row.id) for row in opened.store.outbox.rows()]


def first_point(workspace: Path, like: Point) -> str:
    """The first point of a finished play that begins like this one."""
    return next(name for table, name in points_of(workspace) if table == like.table and name.startswith(like.name))


# what was done on chain


def on_chain(workspace: Path) -> dict[str, Any]:
    """Everything a transaction sent twice would change: every transfer, every balance, the deal's words, nonces."""
    contracts, accounts, words = _recorded(workspace)
    with open_chain(workspace) as node:
        client = ChainClient(NodeProvider(node))
        shares = {name: one for name, one in contracts.items() if name == "Dollar" or "/" in name}
        deal_artefact, deal = contracts[DEAL]
        return {
            "transfers": {name: _transfers(client, *one) for name, one in shares.items()},
            "balances": {
                name: [_view(client, *one, "balanceOf", who) for who in accounts] for name, one in shares.items()
            },
            "words": [_view(client, deal_artefact, deal, "words", place) for place in range(words)],
            "nonces": [client.nonce(who) for who in accounts],
        }


def _recorded(workspace: Path) -> tuple[dict[str, tuple[Artefact, bytes]], list[bytes], int]:
    """Contracts by name, the accounts that hold or send anything, and how many words the deal keeps."""
    contracts: dict[str, tuple[Artefact, bytes]] = {}
    words = 0
    with Workspace(workspace, read_only=True) as opened:
        for row in opened.facts():
            match row.recorded.fact:
                case ChainAdopted() as adopted:
                    contracts |= {one.name: (load_artefact(one.name), one.address) for one in adopted.contracts}
                case DealLaunched() as launched:
                    for one in launched.contracts:
                        kind = {launched.deal: "Deal", f"ballot:{launched.deal}": "Ballot"}.get(one.name, "Tranche")
                        contracts[one.name] = load_artefact(kind), one.address
                case DealOriginated() as originated:
                    words = decode(originated.program).layout.state_words
    return contracts, _accounts(workspace), words


def _accounts(workspace: Path) -> list[bytes]:
    genesis = json.loads((workspace / "chain" / "genesis.json").read_text())
    attesters = {json.loads(file.read_text())["public"] for file in (workspace / "keys").glob("attester-*.json")}
    return [
        bytes.fromhex(one) for one in sorted(genesis["alloc"]) if one not in attesters
    ]  # which of three vote, differs


def _transfers(client: ChainClient, artefact: Artefact, address: bytes) -> list[str]:
    found = (event(artefact, log.topics, log.data) for log in client.logs(0, client.head().number, [address]))
    return sorted(str(one) for one in found if one is not None and one[0] == "Transfer")


def _view(client: ChainClient, artefact: Artefact, address: bytes, function: str, *args: Any) -> Any:
    return result(artefact, function, client.call(address, call_data(artefact, function, *args)))[0]

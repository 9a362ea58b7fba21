"""Durable file writing, and what a failing disk means."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from penstock.errors import Unavailable

AtPoint = Callable[[str], None]
"""Called with the name of each point of the commit protocol; tests stop or fail the process there."""


def no_point(_name: str) -> None:
    """The `AtPoint` of real life."""


@contextmanager
def disk_errors() -> Iterator[None]:
    """Turns a failing file operation into its place in the error tree.

    Raises:
        Unavailable: ``store.disk_full``, ``store.disk_failed``.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise disk_full() from error
        raise disk_failed(error.strerror or str(error)) from error


def disk_full() -> Unavailable:
    """No room left; nothing was recorded."""
    hint = "Free some space and send the command again."
    return Unavailable("store.disk_full", "The disk is full; nothing was recorded.", hint=hint)


def disk_failed(reason: str) -> Unavailable:
    """The disk refused for another reason."""
    hint = "Send the command again under the same key: it is recorded once at most."
    return Unavailable("store.disk_failed", "The disk failed.", hint=hint, reason=reason)


def write_synced(path: Path, data: bytes | memoryview, at_point: AtPoint) -> None:
    """Write a whole file and wait until the disk has it."""
    with path.open("wb") as file:
        half = len(data) // 2
        file.write(data[:half])
        file.flush()
        at_point("segment_half")
        file.write(data[half:])
        file.flush()
        at_point("segment_written")
        os.fsync(file.fileno())
    at_point("segment_synced")


def sync_folder(path: Path) -> None:
    """Wait until the names in a folder are on the disk."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)

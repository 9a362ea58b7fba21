"""A watched folder: files are read once they have settled, kept, and moved to ``done/`` or ``failed/``.

Whoever drops a file writes it under a name that begins with a dot or ends in ``.part`` and renames it, or simply
stops writing: a file is taken once size and time of change are the same on two visits. Parts of a file are kept under
a token of its name and of all its bytes so far, so that a visit cut short at any instant is taken up where it ended.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final, Self

from penstock.connect.envelope import as_sent
from penstock.connect.ports import Arrived, Samples
from penstock.connect.sequence import CborItems, Lines, Splitter, Whole
from penstock.errors import Invalid, PenstockError, Unavailable

Part = Sequence[Arrived | Samples]
Keep = Callable[[str, Part], int]
"""Keeps a part under a token, once; returns how many messages were new."""
Reader = Callable[[Path], Iterator[Part]]
"""Reads a file in parts, each of bounded size, the same on every reading."""
CHUNK: Final = 1 << 20
VISIT_S: Final = 1.0
DONE, FAILED = "done", "failed"


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a file: how many messages were new, and the error that stopped it."""

    name: str
    messages: int
    error: PenstockError | None = None


def messages_in(make: Callable[[], Splitter]) -> Reader:
    """A reader of files that hold messages one after another."""

    def read(path: Path) -> Iterator[Part]:
        splitter = make()
        with path.open("rb") as file:
            for chunk in _chunks(file):
                yield [as_sent(item) for item in splitter.feed(chunk)]
            yield [as_sent(item) for item in splitter.finish()]

    return read


READERS: Final[Mapping[str, Reader]] = {
    ".cbor": messages_in(CborItems),
    ".ocmf": messages_in(Lines),
    ".txt": messages_in(Lines),
    ".jsonl": messages_in(Lines),
    ".json": messages_in(Whole),
}


class WatchedFolder:
    """Takes files from ``folder`` by their suffix."""

    def __init__(self, folder: Path, keep: Keep, readers: Mapping[str, Reader] = READERS) -> None:
        self._folder, self._keep, self._readers = folder, keep, readers
        self._seen: dict[str, tuple[int, int]] = {}

    def visit(self) -> list[Taken]:
        """Take every file that has settled since the last visit, oldest first.

        Raises:
            Unavailable: ``connect.full`` and the like; the file stays, and the next visit goes on with it.
            Invalid: ``connect.no_folder``.
        """
        found = self._files()
        settled = [name for name, mark in found.items() if self._seen.get(name) == mark]
        self._seen = found
        return [self._take(self._folder / name) for name in sorted(settled, key=lambda name: (found[name], name))]

    def _files(self) -> dict[str, tuple[int, int]]:
        """Time of change and size of each file that is no draft, no link and no folder."""
        found = {}
        try:
            for path in self._folder.iterdir():
                if path.name.startswith(".") or path.suffix in (".part", ".tmp") or path.is_symlink():
                    continue
                if path.is_file():
                    about = path.stat()
                    found[path.name] = (about.st_mtime_ns, about.st_size)
        except FileNotFoundError as error:
            hint = "Make it, or name another."
            raise Invalid("connect.no_folder", "There is no such folder.", hint=hint, path=self._folder) from error
        return found

    def _take(self, path: Path) -> Taken:
        kept, error = 0, None
        try:
            reader = self._readers.get(path.suffix.lower())
            if reader is None:
                hint = f"Known are: {', '.join(sorted(self._readers))}."
                raise Invalid("connect.unknown_suffix", "No reader knows files of this name.", hint=hint)
            so_far = hashlib.sha256(path.name.encode())
            for part in reader(path):
                so_far.update(_digest(part))
                kept += self._keep(f"file:{so_far.hexdigest()}", part) if part else 0
        except Unavailable:
            raise
        except PenstockError as caught:
            error = caught
        self._move(path, error)
        return Taken(path.name, kept, error)

    def _move(self, path: Path, error: PenstockError | None) -> None:
        folder = self._folder / (FAILED if error else DONE)
        folder.mkdir(exist_ok=True)
        target = folder / path.name
        number = 1
        while target.exists():
            number += 1
            target = folder / f"{path.stem}-{number}{path.suffix}"
        if error:
            target.with_name(f"{target.name}.why").write_text(f"{error}\n{error.hint}\n")
        path.rename(target)


class FolderConnector:
    """Visits a folder once a second in a thread of its own while it is entered."""

    def __init__(self, watched: WatchedFolder, on_taken: Callable[[Taken], None] = lambda _taken: None) -> None:
        self._watched, self._on_taken, self._stop = watched, on_taken, threading.Event()
        self._thread = threading.Thread(target=self._run, name="folder", daemon=True)
        self.failure: PenstockError | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                for taken in self._watched.visit():
                    self._on_taken(taken)
            except Unavailable:
                pass  # the spool is full, or its disk: the file stays where it is
            except PenstockError as error:
                self.failure = error
                return
            self._stop.wait(VISIT_S)


def _chunks(file: BinaryIO) -> Iterator[bytes]:
    while chunk := file.read(CHUNK):
        yield chunk


def _digest(part: Part) -> bytes:
    digest = hashlib.sha256()
    for one in part:
        digest.update(repr(one).encode())
    return digest.digest()

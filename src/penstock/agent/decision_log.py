"""The agent's log of decisions: a line each, chained by sha256, saying what was chosen among what, and why.

Each line is canonical JSON with the hash of the one before; whoever changes, drops or reorders a line breaks the chain.
Cutting off its end is seen by whoever kept the last hash.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, Final

from penstock.errors import Invalid, Unverified
from penstock.keys.dsse import canonical
from penstock.keys.nesting import deeper_than

FIRST: Final = "0" * 64
"""What the first line names as the one before it."""
TAIL_BYTES: Final = 65_536
DEPTH_MAX: Final = 32


@dataclass(frozen=True, slots=True)
class Decision:
    """One line: its place, when, what kind, why in a sentence, and figures by name."""

    number: int
    at_us: int
    kind: str
    why: str
    said: Mapping[str, Any]
    before: str
    digest: str


@dataclass(frozen=True, slots=True)
class DecisionLog:
    """The log in the file at ``path``; several processes may write to it."""

    path: Path

    def write(self, at_us: int, kind: str, why: str, **said: object) -> Decision:
        """Append a line, on disk when this returns. Raises Unverified ``log.broken`` where the end is damaged."""
        with self._held() as file:
            last = _last(file)
            number, before = (last.number + 1, last.digest) if last else (0, FIRST)
            body = {"at_us": at_us, "before": before, "kind": kind, "number": number, "said": said, "why": why}
            raw = canonical(body)
            digest = sha256(raw).hexdigest()
            file.seek(0, os.SEEK_END)
            file.write(canonical({"body": body, "digest": digest}) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        return Decision(number, at_us, kind, why, said, before, digest)

    def read(self) -> list[Decision]:
        """Every line, checked. Raises Unverified ``log.broken``, naming the first that does not follow."""
        if not self.path.exists():
            return []
        found: list[Decision] = []
        for number, line in enumerate(self.path.read_bytes().splitlines()):
            decision = _read(line, number)
            if decision.before != (found[-1].digest if found else FIRST):
                raise _broken(number)
            found.append(decision)
        return found

    @contextmanager
    def _held(self) -> Iterator[IO[bytes]]:
        with self.path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield file


def _last(file: IO[bytes]) -> Decision | None:
    """The last line; a torn end, of a write that never returned, is cut off. Reads no more than it needs."""
    end = file.seek(0, os.SEEK_END)
    tail, start = b"", end
    while start > 0 and tail.count(b"\n") < 2:
        start = max(0, start - TAIL_BYTES)
        file.seek(start)
        tail = file.read(end - start)
    whole = tail[: tail.rfind(b"\n") + 1]
    if len(whole) < len(tail):
        file.truncate(start + len(whole))
    lines = whole.splitlines()
    return _read(lines[-1]) if lines else None


def _read(line: bytes, number: int | None = None) -> Decision:
    try:
        if deeper_than(text := line.decode(), DEPTH_MAX):
            raise ValueError("too deep")
        read = json.loads(text)
        body, digest = read["body"], read["digest"]
        place = body["number"] if number is None else number
        if sha256(canonical(body)).hexdigest() != digest or body["number"] != place or line != canonical(read):
            raise _broken(place)
        return Decision(place, body["at_us"], body["kind"], body["why"], body["said"], body["before"], digest)
    except (ValueError, KeyError, TypeError, RecursionError, Invalid):
        raise _broken(number or 0) from None


def _broken(number: int) -> Unverified:
    hint = "The lines before it stand; what follows was changed, dropped or reordered."
    return Unverified("log.broken", f"Line {number + 1} of the log does not follow.", hint=hint, line=number + 1)

"""The error tree: what can go wrong, drawn once.

PenstockError
├── Refused      a rule says no
├── Invalid      malformed input
├── NotFound     not there
├── Unverified   a signature, proof or plausibility check fails
├── Conflict     overlap, or a key repeated with other content
├── Unavailable  the store or the chain does not answer: try again
└── Corrupt      a law is broken: stop

Each error has a stable dotted ``code``, a sentence, a hint that names the next
step and the ids it concerns. Errors describe; only the doors print or exit.
``docs/errors.md`` lists every code, and a test compares the list with the source.
"""

from __future__ import annotations

from typing import Any, ClassVar


class PenstockError(Exception):
    """Base of the tree. ``code`` is stable; ``message`` is one sentence; ``ids`` names what it concerns."""

    exit_code: ClassVar[int] = 1
    http_status: ClassVar[int] = 500

    def __init__(self, code: str, message: str, *, hint: str = "", **ids: object) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.ids = {name: str(value) for name, value in ids.items()}

    def to_json(self) -> dict[str, object]:
        """The one error object all doors show: kind, code, message, hint, context."""
        return {
            "error": type(self).__name__,
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "context": self.ids,
        }

    def __reduce__(self) -> tuple[Any, ...]:
        """So that one process can hand an error on to another as it is."""
        return _again, (type(self), self.args, self.__dict__)

    def __str__(self) -> str:
        ids = ", ".join(f"{name}={value}" for name, value in self.ids.items())
        return f"{self.message} [{self.code}{': ' + ids if ids else ''}]"


def _again(kind: type[PenstockError], args: tuple[object, ...], state: dict[str, object]) -> PenstockError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class Refused(PenstockError):
    """A rule says no."""

    exit_code, http_status = 3, 409


class Invalid(PenstockError):
    """The input is malformed."""

    exit_code, http_status = 2, 400


class NotFound(PenstockError):
    """What was named is not there."""

    exit_code, http_status = 4, 404


class Unverified(PenstockError):
    """A signature, proof or plausibility check fails."""

    exit_code, http_status = 5, 422


class Conflict(PenstockError):
    """It overlaps with what stands, or repeats a key with other content."""

    exit_code, http_status = 3, 409


class Unavailable(PenstockError):
    """The store or the chain does not answer; the same call may succeed later."""

    exit_code, http_status = 6, 503


class Corrupt(PenstockError):
    """A law is broken or the record is damaged: stop."""

    exit_code, http_status = 70, 500

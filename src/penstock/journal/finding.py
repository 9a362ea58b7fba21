"""Findings: what a check of the books found wrong, and where."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """A breach of law ``law`` (1 to 5): a stable ``code``, a sentence, and the ids it concerns."""

    law: int
    code: str
    message: str
    ids: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return f"law {self.law}: {self.message} [{self.code}: {', '.join(f'{k}={v}' for k, v in self.ids)}]"


def finding(law: int, code: str, message: str, **ids: object) -> Finding:
    """A finding with its ids as text."""
    return Finding(law, code, message, tuple((name, str(value)) for name, value in ids.items()))

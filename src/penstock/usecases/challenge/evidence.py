"""What a challenge found, as a file that anyone can check again.

Of a row that failed it keeps the request and the answer themselves: their digests are in the provider's signed
statement, so whoever doubts the judgement does the row again and needs to believe nobody. Of a row that agreed it keeps
nothing but that: what customers asked stays with them.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode, b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from penstock.compute.reexecution import NOTHING, Disclosure, Finding
from penstock.errors import Invalid
from penstock.keys.dsse import canonical, read_json

FORMAT: Final = "penstock/challenge-evidence/1"


@dataclass(frozen=True, slots=True)
class Found:
    """What one row showed, with the bytes that show it where it failed."""

    row: int
    payment_id: bytes
    finding: Finding
    shown: Disclosure = NOTHING


@dataclass(frozen=True, slots=True)
class Evidence:
    """Rows of the work with ``work_root``, done again by ``engine`` within ``tolerance`` [distance of unit vectors]."""

    provider: str
    rack: str
    work_root: bytes
    seed: bytes
    engine: str
    tolerance: float
    found: tuple[Found, ...]

    @property
    def rows(self) -> tuple[int, ...]:
        """The drawn rows."""
        return tuple(one.row for one in self.found)

    @property
    def failed(self) -> tuple[int, ...]:
        """Those that do not agree."""
        return tuple(one.row for one in self.found if one.finding is not Finding.AGREES)

    @property
    def silent(self) -> bool:
        """Whether the provider showed nothing at all."""
        return bool(self.found) and all(one.finding is Finding.UNDISCLOSED for one in self.found)

    def to_json(self) -> bytes:
        """The evidence in its one written form."""
        return canonical(
            {
                "engine": self.engine,
                "format": FORMAT,
                "found": [_written(one) for one in self.found],
                "provider": self.provider,
                "rack": self.rack,
                "seed": self.seed.hex(),
                "tolerance": repr(self.tolerance),
                "work_root": self.work_root.hex(),
            }
        )

    @property
    def digest(self) -> bytes:
        """sha256 of the written form [32 bytes]: what the judgement names."""
        return hashlib.sha256(self.to_json()).digest()

    @classmethod
    def from_json(cls, raw: bytes) -> Evidence:
        """The evidence that `to_json`'s bytes hold. Raises Invalid ``challenge.evidence``."""
        try:
            held = read_json(raw)
            made = cls(
                provider=str(held["provider"]),
                rack=str(held["rack"]),
                work_root=bytes.fromhex(held["work_root"]),
                seed=bytes.fromhex(held["seed"]),
                engine=str(held["engine"]),
                tolerance=float(held["tolerance"]),
                found=tuple(map(_found, held["found"])),
            )
            same = made.to_json() == raw
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError, Invalid) as error:
            raise Invalid("challenge.evidence", "The file is no evidence of a challenge.") from error
        if not same:
            raise Invalid("challenge.evidence", "Evidence is written in one way, and this is another.")
        return made


def shown_of(found: Sequence[Found]) -> dict[bytes, Disclosure]:
    """What the evidence shows, by payment id."""
    return {one.payment_id: one.shown for one in found}


def _written(one: Found) -> dict[str, Any]:
    parts = {"answer": one.shown.answer, "request": one.shown.request}
    shown = {name: b64encode(raw).decode() for name, raw in parts.items() if raw is not None}
    return {"finding": one.finding.value, "payment_id": one.payment_id.hex(), "row": one.row, **shown}


def _found(held: dict[str, Any]) -> Found:
    parts = [b64decode(held[name], validate=True) if name in held else None for name in ("request", "answer")]
    return Found(int(held["row"]), bytes.fromhex(held["payment_id"]), Finding(held["finding"]), Disclosure(*parts))

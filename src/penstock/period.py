"""Instants and half-open intervals of time, UTC, in whole microseconds since 1970.

No naive datetimes: whatever enters carries its offset; whatever leaves ends in ``Z``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from penstock.errors import Invalid

SECOND_US: Final = 1_000_000
QUARTER_HOUR_US: Final = 900 * SECOND_US
HOUR_US: Final = 3_600 * SECOND_US
DAY_US: Final = 24 * HOUR_US
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def to_us(when: datetime) -> int:
    """The instant of an aware ``datetime`` [us since 1970-01-01Z].

    Raises:
        Invalid: ``period.naive`` where ``when`` has no offset.
    """
    if when.tzinfo is None:
        raise Invalid("period.naive", "A time needs its offset from UTC.", hint="Write 2016-08-22T00:00:00Z.")
    return (when - _EPOCH) // timedelta(microseconds=1)


def from_us(at_us: int) -> datetime:
    """The aware UTC ``datetime`` of an instant [us]."""
    return _EPOCH + timedelta(microseconds=at_us)


def iso(at_us: int) -> str:
    """``2016-08-22T06:00:00Z``; fractions of a second only where there are any."""
    return from_us(at_us).isoformat().replace("+00:00", "Z")


def parse_iso(text: str) -> int:
    """The instant [us] of an ISO 8601 text with an offset.

    Raises:
        Invalid: ``period.malformed`` for another form, ``period.naive`` without an offset.
    """
    try:
        return to_us(datetime.fromisoformat(text))
    except ValueError:
        hint = "Write 2016-08-22T00:00:00Z."
        raise Invalid("period.malformed", f"{text!r} is not an ISO 8601 time.", hint=hint) from None


@dataclass(frozen=True, slots=True, order=True)
class Period:
    """The time from ``start_us`` up to, and without, ``stop_us``.

    Raises:
        Invalid: ``period.empty`` unless ``start_us < stop_us``.
    """

    start_us: int
    stop_us: int

    def __post_init__(self) -> None:
        if self.start_us >= self.stop_us:
            raise Invalid("period.empty", f"{iso(self.start_us)} to {iso(self.stop_us)} does not end after it starts.")

    def __contains__(self, at_us: int) -> bool:
        return self.start_us <= at_us < self.stop_us

    def steps(self, step_us: int) -> Iterator[Period]:
        """Consecutive periods of ``step_us``; the last may be shorter."""
        for start in range(self.start_us, self.stop_us, step_us):
            yield Period(start, min(start + step_us, self.stop_us))

    def __str__(self) -> str:
        return f"{iso(self.start_us)}/{iso(self.stop_us)}"

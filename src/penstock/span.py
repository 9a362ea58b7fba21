"""Spans: half-open integer ranges ``[start, stop)`` of positions on a register."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.errors import Invalid


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """The very units from ``start`` up to, and without, ``stop`` [the register's unit].

    Raises:
        Invalid: ``span.malformed`` unless ``0 <= start <= stop``.
    """

    start: int
    stop: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.stop:
            raise Invalid("span.malformed", f"[{self.start}, {self.stop}) does not run from 0 or more upwards.")

    def __len__(self) -> int:
        return self.stop - self.start

    def __bool__(self) -> bool:
        return self.stop > self.start

    def __contains__(self, position: int) -> bool:
        return self.start <= position < self.stop

    def meet(self, other: Span) -> Span:
        """The units in both; empty (``start == stop``) where they do not overlap."""
        start = max(self.start, other.start)
        return Span(start, max(start, min(self.stop, other.stop)))

    def cut(self, position: int) -> tuple[Span, Span]:
        """The two halves at ``position``.

        Raises:
            Invalid: ``span.cut_outside`` where ``position`` is not within ``[start, stop]``.
        """
        if not self.start <= position <= self.stop:
            raise Invalid("span.cut_outside", f"{position} does not lie in [{self.start}, {self.stop}).")
        return Span(self.start, position), Span(position, self.stop)

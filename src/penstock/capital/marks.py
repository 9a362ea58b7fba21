"""Values from outside: each dated, with its source, speaking for a stated time."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from penstock.errors import Invalid, NotFound
from penstock.journal.kinds.servicing import MarkSet
from penstock.period import SECOND_US
from penstock.units import INT64_MAX

E8: Final = 10**8
"""One, as marks are written: in hundred-millionths."""
VALUE_E8_MAX: Final = 2**56
MILESTONE: Final = "/milestone"
"""A mark ``<deal>/milestone`` is an amount a deal's builder has earned [hundred-millionths of a dollar]."""

OPTIONAL: Final = "value/"
"""The mark ``value/<technology>`` says what is left of the value of all assets of a technology: all, without one."""


class Marks:
    """Every mark by name, in order of its as-of."""

    def __init__(self) -> None:
        self._marks: dict[str, list[MarkSet]] = {}

    def check(self, mark: MarkSet, at_us: int) -> None:
        """That a mark can be set so.

        Raises:
            Invalid: ``mark.fields``; ``mark.order`` for an as-of that is not after the one before.
        """
        sound = mark.name and mark.source and mark.stale_after_s > 0 and 0 <= mark.as_of_us <= at_us
        if not sound or not -VALUE_E8_MAX < mark.value_e8 < VALUE_E8_MAX or mark.stale_after_s > INT64_MAX // SECOND_US:
            hint = "It has a name and a source, is of no later than now, and speaks for some time."
            raise Invalid("mark.fields", "A mark has a field that cannot be.", hint=hint, mark=mark.name)
        before = self._marks.get(mark.name)
        if before and mark.as_of_us <= before[-1].as_of_us:
            hint = "A published value stands; publish the next one."
            raise Invalid("mark.order", f"{mark.name} has a value of that instant or a later one.", hint=hint)

    def set(self, mark: MarkSet) -> None:
        """Take a checked mark in."""
        self._marks.setdefault(mark.name, []).append(mark)

    def known(self, name: str, as_of_us: int) -> bool:
        """Whether the name was marked by then."""
        return any(one.as_of_us <= as_of_us for one in self._marks.get(name, [])[:1])

    def spoke(self, name: str, instants: Iterable[int]) -> bool:
        """Whether a name had a value at any of these instants; what may be unmarked (`OPTIONAL`) has one always."""
        for as_of_us in instants:
            if name.startswith(OPTIONAL) and not self.known(name, as_of_us):
                return True
            try:
                self.latest(name, as_of_us)
            except NotFound:
                continue
            return True
        return False

    def latest(self, name: str, as_of_us: int) -> MarkSet:
        """The newest mark of a name as of an instant, at which it still speaks.

        Raises:
            NotFound: ``measure.mark_missing``, ``measure.mark_stale``.
        """
        found = [one for one in self._marks.get(name, []) if one.as_of_us <= as_of_us]
        if not found:
            raise NotFound("measure.mark_missing", f"{name} has no value as of then.", hint="Set the mark.", mark=name)
        if found[-1].as_of_us + found[-1].stale_after_s * SECOND_US < as_of_us:
            raise NotFound("measure.mark_stale", f"The value of {name} is too old.", hint="Set the mark.", mark=name)
        return found[-1]

    def digest_parts(self) -> list[bytes]:
        """All marks as bytes, for a digest."""
        return [repr(sorted(self._marks.items())).encode()]

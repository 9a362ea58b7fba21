"""Quantities that cannot be mixed: ``Wh(1) + Usdc(1)`` fails in the type checker and when run.

Every quantity is a whole, signed count of one unit. In bulk the same quantities
are int64 columns whose name ends in the unit (``_wh``, ``_mj``, ``_ms``,
``_tokens``, ``_usdc_micro``). 1 Wh = 3,600,000 mJ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final, Self

from penstock.errors import Invalid

MJ_PER_WH: Final = 3_600_000
INT64_MAX: Final = 2**63 - 1


@dataclass(frozen=True, slots=True, eq=True)
class Quantity:
    """A whole count of one unit. Sums and comparisons only within the unit.

    Raises:
        Invalid: ``unit.not_whole`` for anything but an int, ``unit.mixed`` for another unit.
    """

    count: int
    symbol: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if type(self.count) is not int:
            raise Invalid("unit.not_whole", f"{type(self).__name__} counts whole units, not {self.count!r}.")

    def _of(self, other: Self) -> int:
        if type(other) is not type(self):
            raise Invalid("unit.mixed", f"{type(self).__name__} and {type(other).__name__} do not mix.")
        return other.count

    def __add__(self, other: Self) -> Self:
        return type(self)(self.count + self._of(other))

    def __sub__(self, other: Self) -> Self:
        return type(self)(self.count - self._of(other))

    def __neg__(self) -> Self:
        return type(self)(-self.count)

    def __lt__(self, other: Self) -> bool:
        return self.count < self._of(other)

    def __le__(self, other: Self) -> bool:
        return self.count <= self._of(other)

    def __gt__(self, other: Self) -> bool:
        return self.count > self._of(other)

    def __ge__(self, other: Self) -> bool:
        return self.count >= self._of(other)

    def __mul__(self, times: int) -> Self:
        return type(self)(self.count * times)

    def __int__(self) -> int:
        return self.count

    def __str__(self) -> str:
        return f"{self.count:,} {self.symbol}"


class Wh(Quantity):
    """Energy [Wh]."""

    __slots__ = ()
    symbol = "Wh"

    def to_mj(self) -> Mj:
        """The same energy [mJ], exact."""
        return Mj(self.count * MJ_PER_WH)


class Mj(Quantity):
    """Energy [mJ]."""

    __slots__ = ()
    symbol = "mJ"


class Ms(Quantity):
    """An accelerator's time [ms]."""

    __slots__ = ()
    symbol = "ms"


class Tokens(Quantity):
    """Tokens answered."""

    __slots__ = ()
    symbol = "tokens"


class Usdc(Quantity):
    """Dollars owned or owed, in micro-dollars [1e-6 USD]."""

    __slots__ = ()
    symbol = "µ$"

    def __str__(self) -> str:
        sign, whole = ("-" if self.count < 0 else ""), abs(self.count)
        return f"{sign}${whole // 1_000_000:,}.{whole % 1_000_000:06d}"

"""What is wrong with a deal's text: every mistake with its line, its path and the remedy, raised together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from penstock.errors import Invalid


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One thing to mend: where (line from 1, path as ``tranches.A.rate``), what is wrong, what to write instead."""

    line: int
    path: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"line {self.line}, {self.path}: {self.message} {self.remedy}"


class MalformedDeal(Invalid):
    """``deal.malformed``: all mistakes of a deal's text at once, in `mistakes`, in the order of the lines."""

    def __init__(self, mistakes: Sequence[Mistake]) -> None:
        self.mistakes = tuple(sorted(mistakes))
        count = len(self.mistakes)
        super().__init__(
            "deal.malformed",
            f"The deal has {count} mistake{'s' if count != 1 else ''}.",
            hint="Mend each line named; docs/deal-language.md explains every word.",
            mistakes="\n".join(str(mistake) for mistake in self.mistakes),
        )

    def to_json(self) -> dict[str, object]:
        """As every error, by its kind in the tree."""
        return super().to_json() | {"error": Invalid.__name__}

"""How a provider has done by us: what arrived, what was late, wrong or never came; and when it is left alone.

Pure: one value in, one value out. It begins with trust, as the first purchase has to come from somewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from penstock.period import SECOND_US

STRIKES_MAX: Final = 2
PAUSE_US: Final = 600 * SECOND_US
"""So long a provider is left alone after its last strike [us]; each further one doubles it."""
PAUSES_MAX: Final = 6
PRIOR: Final = 4
"""As many calls that went well are counted beforehand, so that one failure says little."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Calls that went well and ill; strikes in a row; until when it is left alone [us]."""

    good: int = 0
    bad: int = 0
    strikes: int = 0
    until_us: int = 0
    banned: bool = False

    def after_good(self) -> Standing:
        """An answer that was in time and right."""
        return replace(self, good=self.good + 1, strikes=0)

    def after_bad(self, now_us: int) -> Standing:
        """Late, or none."""
        strikes = self.strikes + 1
        if strikes < STRIKES_MAX:
            return replace(self, bad=self.bad + 1, strikes=strikes)
        pause = PAUSE_US * 2 ** min(strikes - STRIKES_MAX, PAUSES_MAX)
        return replace(self, bad=self.bad + 1, strikes=strikes, until_us=now_us + pause)

    def after_wrong(self) -> Standing:
        """An answer that is wrong, or a price that was not the quoted one: no more of it in this run."""
        return replace(self, bad=self.bad + 1, banned=True)

    def allows(self, now_us: int) -> bool:
        """Whether to buy there now."""
        return not self.banned and now_us >= self.until_us

    @property
    def arrived_bp(self) -> int:
        """The part of what was bought that arrived [bp], rounded down."""
        return 10_000 * (self.good + PRIOR) // (self.good + self.bad + PRIOR)

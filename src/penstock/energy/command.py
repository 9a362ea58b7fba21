"""Commands to devices and where each one stands, folded from the facts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from penstock.errors import NotFound
from penstock.journal.fact import Recorded
from penstock.journal.kinds.command import CommandAnswered, CommandAsked, CommandState

VERBS: Final = ("set_point", "charge", "shed")
_NEXT: Final = {
    CommandState.ASKED: frozenset(CommandState) - {CommandState.ASKED},
    CommandState.RECEIVED: frozenset({CommandState.DONE, CommandState.REFUSED, CommandState.FAILED}),
    CommandState.EXPIRED: frozenset(CommandState) - {CommandState.ASKED, CommandState.EXPIRED},
}
"""What may follow on a state; on all others nothing does. A device that received a command in time may say so late."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A command, where it stands, since when in the journal [us], and the device's own words."""

    asked: CommandAsked
    asked_us: int
    state: CommandState
    since_us: int
    note: str = ""

    def may_become(self, state: CommandState) -> bool:
        """Whether ``state`` may follow on where it stands."""
        return state in _NEXT.get(self.state, frozenset())


@dataclass(slots=True)
class Commands:
    """Every command by its id, in the order they were asked; those not received yet are ``open``."""

    by_id: dict[str, Standing] = field(default_factory=dict)
    open: dict[str, None] = field(default_factory=dict)

    def standing(self, command: str) -> Standing:
        """Where a command stands. Raises NotFound ``command.unknown``."""
        found = self.by_id.get(command)
        if found is None:
            raise NotFound("command.unknown", "There is no such command.", id=command)
        return found

    def waiting(self) -> list[Standing]:
        """Commands no device has received yet, oldest first."""
        return [self.by_id[name] for name in self.open]

    def apply(self, recorded: Recorded, _columns: object = None) -> None:
        """Fold one fact."""
        fact = recorded.fact
        if isinstance(fact, CommandAsked):
            self.by_id[fact.command] = Standing(fact, recorded.at_us, CommandState.ASKED, recorded.at_us)
            self.open[fact.command] = None
        elif isinstance(fact, CommandAnswered):
            stood = self.standing(fact.command)
            self.by_id[fact.command] = replace(stood, state=fact.state, since_us=recorded.at_us, note=fact.note)
            self.open.pop(fact.command, None)

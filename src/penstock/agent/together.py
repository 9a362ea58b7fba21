"""Two purchases that come together or not at all: both are reserved first, then both are taken.

What stands is on disk before each step, so that whoever dies in between goes on where it was: before the first is taken
both are given back; after it both are taken, for as long as that needs. Nothing is begun while the agent is stopped.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from penstock.agent.spending import STOP
from penstock.errors import Conflict, Corrupt, PenstockError, Refused, Unavailable

BEGUN, RESERVED, TAKING, TAKEN = "begun", "reserved", "taking", "taken"
GIVING, GIVEN_BACK = "giving back", "given back"
OVER: Final = (TAKEN, GIVEN_BACK)


class Leg(Protocol):
    """One of the two. Each call may come again under the same key and then does nothing more.

    ``reserve`` holds what will be taken, so that ``take`` can only fail for a time (Unavailable); ``give_back`` of what
    was never reserved is quiet. The compute half is taken first: where nobody holds it for anybody, its ``take`` may be
    Refused too, which says that nothing of it was taken, now or before.
    """

    def reserve(self, key: str) -> None:
        """Hold it."""

    def take(self, key: str) -> None:
        """Take what is held."""

    def give_back(self, key: str) -> None:
        """Hold it no longer."""


@dataclass(frozen=True, slots=True)
class Together:
    """A pair of purchases under one name, kept in a file of the agent's folder."""

    folder: Path
    name: str

    @property
    def state(self) -> str:
        """How far it is; empty where it has not begun. Raises Corrupt ``together.file``."""
        try:
            return str(json.loads(self._path.read_text("utf-8"))["state"])
        except FileNotFoundError:
            return ""
        except (ValueError, KeyError, TypeError):
            raise Corrupt(
                "together.file", "What became of a pair of purchases cannot be read.", pair=self.name
            ) from None

    def buy(self, compute: Leg, certificates: Leg) -> None:
        """Both, or neither; begun again, what it began with the same legs goes on.

        Raises:
            What kept one from being had, after the other was given back. Refused: ``agent.stopped``.
            Unavailable: ``together.half`` while what is taken in part cannot be finished yet; call again.
            Conflict: ``together.over`` where it was given back before.
        """
        state = self.state
        if state == GIVING:
            self._give_back(compute, certificates)
        if state in (GIVING, GIVEN_BACK):
            raise Conflict("together.over", "This pair was given back.", hint="Begin another.", pair=self.name)
        if state == TAKEN:
            return
        if state != TAKING:
            self._refuse_where_stopped()
            self._reserve(compute, certificates)
            self._keep(TAKING)
        self._take(compute, certificates)
        self._keep(TAKEN)

    def settle(self, compute: Leg, certificates: Leg) -> str:
        """Bring to its end what a dead process left: taken where taking had begun, else given back; the state then."""
        if self.state == TAKING:
            self.buy(compute, certificates)
        elif self.state not in ("", *OVER):
            self._give_back(compute, certificates)
        return self.state

    def _reserve(self, compute: Leg, certificates: Leg) -> None:
        self._keep(BEGUN)
        try:
            certificates.reserve(self.name)
            compute.reserve(self.name)
        except PenstockError:
            self._give_back(compute, certificates)
            raise
        self._keep(RESERVED)

    def _take(self, compute: Leg, certificates: Leg) -> None:
        try:
            compute.take(self.name)
        except Refused:
            self._give_back(compute, certificates)
            raise
        except PenstockError as error:
            raise self._half(error) from error
        try:
            certificates.take(self.name)
        except PenstockError as error:
            raise self._half(error) from error

    def _half(self, error: PenstockError) -> Unavailable:
        said = f"One of two purchases waits for the other: {error.message}"
        return Unavailable("together.half", said, hint="Both are held: call again.", pair=self.name)

    def _refuse_where_stopped(self) -> None:
        if (self.folder / STOP).exists():
            raise Refused("agent.stopped", "The agent is stopped: nothing is bought.", hint="penstock agent stop --off")

    def _give_back(self, compute: Leg, certificates: Leg) -> None:
        self._keep(GIVING)
        compute.give_back(self.name)
        certificates.give_back(self.name)
        self._keep(GIVEN_BACK)

    @property
    def _path(self) -> Path:
        return self.folder / f"pair-{self.name}.json"

    def _keep(self, state: str) -> None:
        """Write the state, whole or not at all."""
        self.folder.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_suffix(".new")
        with beside.open("w", encoding="utf-8") as file:
            file.write(json.dumps({"state": state}))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

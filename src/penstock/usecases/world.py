"""The world of a workspace: what all facts so far add up to, room by room."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

from penstock.capital.deal_book import DealBook
from penstock.compute.capacity import Capacity
from penstock.compute.capacity_fold import fold
from penstock.compute.challenge_book import Challenges
from penstock.compute.credit import Compute
from penstock.compute.work_book import WorkBook
from penstock.energy.carbon.book import Carbon
from penstock.energy.checks.sky import Sky
from penstock.energy.command import Commands
from penstock.energy.device import Devices
from penstock.energy.foreign import ForeignCertificates
from penstock.energy.forward.book import Forwards
from penstock.energy.participants import Participants
from penstock.energy.quarantine import Quarantine
from penstock.energy.reservation import Reservations
from penstock.energy.revisable import Revisable
from penstock.journal.fact import Recorded
from penstock.journal.segment import Columns
from penstock.journal.small_moves import right_moved, take_together
from penstock.journal.state import Books
from penstock.journal.storage_book import Storages


@dataclass(slots=True)
class World:
    """The shared books, and each wing's own state; the wings meet here and nowhere else."""

    books: Books = field(default_factory=Books)
    energy: Devices = field(init=False)
    quarantine: Quarantine = field(init=False)
    sky: Sky = field(default_factory=Sky)
    revisable: Revisable = field(default_factory=Revisable)
    commands: Commands = field(default_factory=Commands)
    participants: Participants = field(init=False)
    foreign: ForeignCertificates = field(init=False)
    carbon: Carbon = field(init=False)
    forwards: Forwards = field(init=False)
    reservations: Reservations = field(default_factory=Reservations)
    compute: Compute = field(default_factory=Compute)
    challenges: Challenges = field(default_factory=Challenges)
    work: WorkBook = field(default_factory=WorkBook)
    capacity: Capacity = field(init=False)
    capital: DealBook = field(default_factory=DealBook)

    def __post_init__(self) -> None:
        self.energy = Devices(self.books.registers, self.books.enrolled.names)
        self.quarantine = Quarantine(self.books.registers)
        self.carbon = Carbon(self.books, self.energy)
        self.participants = Participants(self.books.accounts)
        self.forwards = Forwards(self.books, self.energy, self.participants)
        self.foreign = ForeignCertificates(self.books.registers)
        self.capacity = Capacity(self.books, self.compute.racks, self._commissioned_us)

    @property
    def storages(self) -> Storages:
        """Storages; the books hold them, as laws rest on them."""
        return self.books.storages

    def apply(self, recorded: Recorded, columns: Columns | None) -> None:
        """Fold one fact into every room that knows it."""
        self.books.apply(recorded, columns)
        self._follow(recorded, columns)

    def apply_all(self, told: Sequence[tuple[Recorded, Columns | None]]) -> None:
        """Fold facts, as `apply` one after the other: moves that come in a row go into the books as one batch."""
        for _, run in groupby(told, key=lambda one: right_moved(one[0])):
            facts = list(run)
            if take_together(self.books, facts):
                for recorded, columns in facts:
                    self._follow(recorded, columns)
            else:
                for recorded, columns in facts:
                    self.apply(recorded, columns)

    def _follow(self, recorded: Recorded, columns: Columns | None) -> None:
        """Every room but the books. What a move does here does not rest on the state that titles are in by then."""
        self.energy.apply(recorded, columns)
        self.quarantine.apply(recorded, columns)
        self.revisable.apply(recorded, columns)
        self.commands.apply(recorded)
        self.participants.apply(recorded, columns)
        self.foreign.apply(recorded, columns)
        self.carbon.apply(recorded, columns)
        self.forwards.apply(recorded, columns)
        self.reservations.apply(recorded, columns)
        fold(self.capacity, recorded, columns)
        self.compute.apply(recorded, columns)
        self.work.apply(recorded)
        self.challenges.apply(recorded)
        self.capital.apply(recorded, columns)

    def _commissioned_us(self, device: str) -> int:
        return int(self.energy.commissioned_us[self.books.device_id(device)])

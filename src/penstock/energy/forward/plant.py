"""Plants: registers with all that continue them, whose output it is, and what deals pledge of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from penstock.energy.device import Devices
from penstock.energy.forward.delivery import plant_registers
from penstock.energy.forward.promise import Promise
from penstock.errors import Refused
from penstock.journal.asset_rows import Named, pledged_names
from penstock.journal.kinds.capital import DealOriginated
from penstock.journal.kinds.forward import ForwardOffered
from penstock.journal.segment import Column, Columns
from penstock.journal.state import Books
from penstock.journal.words import Right

NEVER = np.iinfo(np.int64).max


class Plants:
    """What forwards need to know of the registers they promise from."""

    def __init__(self, books: Books, energy: Devices) -> None:
        self.books, self.energy = books, energy
        self.pledged: dict[str, str] = {}
        self._pooled: list[list[str]] = []

    def pledge(self, deal: DealOriginated) -> None:
        """A deal pledges assets by name."""
        self.pledged |= dict.fromkeys(deal.assets, deal.deal)

    def pool(self, deal: str, named: Sequence[Named]) -> None:
        """A deal pledges assets, each with the registers that count it."""
        self._pooled += [pledged_names([one]) for one in named]
        self.pledged |= dict.fromkeys(pledged_names(named), deal)

    def release(self, assets: Iterable[int]) -> None:
        """Pooled assets, by number, are free again."""
        for number in assets:
            for name in self._pooled[number]:
                self.pledged.pop(name, None)

    def registers_named(self, name: str) -> frozenset[int]:
        """First epochs of the registers behind the name of a register, a device or a site; none for another name."""
        if name in self.books.registers:
            return frozenset([self.root(self.books.registers.id_of(name))])
        devices = [self.energy.number(name)] if name in self.books.enrolled.names else []
        if not devices and name in self.energy.sites:
            devices = np.flatnonzero(self.energy.site == self.energy.sites.index(name)).tolist()
        registers = [register for one in devices for register in self.energy.registers_of(one).tolist()]
        return frozenset(self.root(register) for register in registers if register >= 0)

    def root(self, register: int) -> int:
        """The first of the registers that this one continues."""
        before = self.books.corrections.before()
        while register in before:
            register = before[register]
        return register

    def roots(self, registers: Iterable[str]) -> frozenset[int]:
        """The first epochs of registers; NotFound ``register.unknown``."""
        return frozenset(self.root(self.books.registers.id_of(urn)) for urn in registers)

    def check(self, terms: ForwardOffered) -> None:
        """That the registers are there, once each, issue what is promised, and are the seller's.

        Raises:
            NotFound: ``register.unknown``. Refused: ``forward.plant``, ``forward.pledged``.
        """
        registers, ended = self.books.registers, self.books.corrections.ended(len(self.books.registers))
        rights = (Right.ATTRIBUTE, Right.ENERGY) if terms.energy else (Right.ATTRIBUTE,)
        for urn in terms.registers:
            number = registers.id_of(urn)
            issues = all(registers.issues(right)[number] for right in rights)
            if not issues or self.energy.device_of[number] < 0 or ended[number]:
                raise Refused("forward.plant", f"{urn} issues no certificates of what is promised.", register=urn)
            self._check_owned(terms, number)
        if not terms.registers or len(self.roots(terms.registers)) < len(terms.registers):
            raise Refused("forward.plant", "A plant is one or more registers, each named once.")
        self.check_free(terms.registers)

    def _check_owned(self, terms: ForwardOffered, register: int) -> None:
        device = np.full(2, self.energy.device_of[register])
        at_us = np.array([terms.start_us, terms.stop_us - 1], dtype=np.int64)
        ownership = self.energy.ownership
        owners = ownership.owner_at(device, self.energy.site[device], at_us)
        if any(ownership.owners.name(one) != terms.seller for one in owners.tolist()):
            raise Refused("forward.plant", f"{terms.seller} does not own all of this plant's output.")

    def check_free(self, registers: Iterable[str]) -> None:
        """That no deal pledges the plant, its registers, devices or sites by name; raises ``forward.pledged``."""
        for urn in registers:
            device = int(self.energy.device_of[self.books.registers.id_of(urn)])
            site = self.energy.sites[self.energy.site[device]]
            for name in (urn, self.energy.name(device), site):
                if name in self.pledged:
                    sentence = f"{name} is pledged to {self.pledged[name]}; its output is not sold forward."
                    raise Refused("forward.pledged", sentence, asset=name, deal=self.pledged[name])

    def bound(self, promise: Promise, right: Right, spans: Columns) -> Column:
        """Which spans (rows) have units of the forward's time that no delivery has looked at."""
        reached = np.full(len(self.books.registers), NEVER, dtype=np.int64)
        for register in plant_registers(self.books, promise.roots):
            reached[register] = promise.reached.get(register, 0)
        rows = np.flatnonzero(spans["stop"] > reached[spans["register"]])
        if not len(rows):
            return rows
        low = np.maximum(spans["start"][rows], reached[spans["register"][rows]])
        titles = self.books.titles[right].parts(spans["register"][rows], low, spans["stop"][rows])
        ours = (titles["interval_us"] >= promise.offered.start_us) & (titles["interval_us"] < promise.until_us)
        found: Column = rows[np.unique(titles["query"][ours])]
        return found

    def issues_bound(self, promise: Promise, rows: Columns) -> bool:
        """Whether an issue (columns of ``title/1``) has units of the forward's time, of its seller."""
        ours = np.isin(rows["register"], plant_registers(self.books, promise.roots))
        ours &= (rows["holder"] == promise.seller) & (rows["interval_us"] >= promise.offered.start_us)
        return bool((ours & (rows["interval_us"] < promise.until_us)).any())

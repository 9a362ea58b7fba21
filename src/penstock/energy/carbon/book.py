"""The carbon wing's state: factors, methods, credits and offsets, folded from facts that are checked as they apply.

A carbon credit is four facts in a row: attributes retired for it, their links to grams, the credit, its titles. Each is
held against the one before, so no credit can rest on an attribute that was used for something else.
"""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np

from penstock.energy.carbon.credit import (
    Avoided,
    buffer_up,
    check_method,
    grams_down,
    reckon_avoided,
    register_of,
)
from penstock.energy.carbon.factors import FactorBook, FactorName
from penstock.energy.device import Devices
from penstock.errors import Conflict, Corrupt, Invalid, NotFound, Refused
from penstock.journal.fact import Recorded
from penstock.journal.kinds.carbon import CarbonCredited, FactorsPublished, MethodAdopted, OffsetRetired, Work
from penstock.journal.kinds.energy import SpansLinked, TitlesIssued, TitlesMoved
from penstock.journal.segment import Columns
from penstock.journal.state import Books
from penstock.journal.words import TITLE_STATES, LinkKind, Right, TitleState

PURPOSE: Final = "carbon credit"
"""Purpose of retiring attributes for a credit; its register follows."""
RETIRED: Final = TITLE_STATES.index(TitleState.RETIRED)


class Carbon:
    """Factors (`FactorBook`); methods and buffers; credits and offsets in order, each with the seq of its fact."""

    def __init__(self, books: Books, energy: Devices) -> None:
        self._books, self._energy = books, energy
        self.factors = FactorBook()
        self.methods: dict[tuple[str, str], MethodAdopted] = {}
        self.credits: list[tuple[int, CarbonCredited]] = []
        self.offsets: list[tuple[int, OffsetRetired]] = []
        self._avoided_ug: dict[str, int] = {}
        self._answers: set[tuple[str, int]] = set()
        self._retired: tuple[int, TitlesMoved, Columns] | None = None
        self._linked: tuple[int, Columns] | None = None
        self._credited: tuple[int, CarbonCredited] | None = None

    def method(self, method: str, version: str) -> MethodAdopted:
        """An adopted method; NotFound ``method.unknown``."""
        if (method, version) not in self.methods:
            raise NotFound("method.unknown", "No such method is adopted.", method=method, version=version)
        return self.methods[method, version]

    def avoided_ug(self, register: str) -> int:
        """What was credited on a register so far [µg]: its grams, and the rest that is carried."""
        return self._avoided_ug.get(register, 0)

    def check_method(self, method: MethodAdopted) -> None:
        """That a method may be adopted.

        Raises:
            Conflict: ``method.known``. NotFound: ``factors.unknown``. As `credit.check_method`.
        """
        check_method(method)
        if (method.method, method.version) in self.methods:
            raise Conflict("method.known", "This version of the method is adopted.", hint="Adopt another version.")
        self.factors.check_known(FactorName(method.source, method.factors_version))

    def reckon(self, method: MethodAdopted, parts: Columns) -> Avoided:
        """What parts of certificates avoided; raises as `reckon_avoided`."""
        return reckon_avoided(method, parts, self._books.lots, self._energy, self.factors)

    def check_offset(self, offset: OffsetRetired) -> None:
        """That an answer is offset once; raises Conflict ``offset.twice``."""
        if offset.work is Work.ANSWER and (offset.name, offset.number) in self._answers:
            raise Conflict("offset.twice", "This answer is offset already.", rack=offset.name, number=offset.number)

    def apply(self, recorded: Recorded, columns: Columns | None) -> None:
        """Fold one fact, held against those right before it; facts of other rooms are passed over.

        Raises:
            Corrupt: ``carbon.does_not_apply``.
        """
        try:
            self._apply(recorded, columns or {})
        except (Refused, Invalid, NotFound, Conflict) as error:
            sentence = f"Fact {recorded.seq} does not apply: {error.message}"
            raise Corrupt("carbon.does_not_apply", sentence, cause=error.code, seq=recorded.seq) from error

    def _apply(self, recorded: Recorded, columns: Columns) -> None:
        seq, fact = recorded.seq, recorded.fact
        due = self._linked is not None and not isinstance(fact, CarbonCredited)
        if due or (self._credited is not None and not isinstance(fact, TitlesIssued)):
            raise Refused("carbon.incomplete", "A carbon credit's facts come one right after the other.")
        match fact:
            case FactorsPublished():
                self.factors.add(seq, fact, columns)
            case MethodAdopted():
                self.check_method(fact)
                self.methods[fact.method, fact.version] = fact
            case TitlesMoved(right=Right.ATTRIBUTE, state=TitleState.RETIRED):
                self._retired = (seq, fact, columns)
            case TitlesMoved(right=Right.CARBON):
                self.check_moves(columns, fact.state)
            case SpansLinked(link=LinkKind.AVOID):
                self._linked = (seq, columns)
            case CarbonCredited():
                self._credit(seq, fact)
            case TitlesIssued(right=Right.CARBON):
                self._issue(columns)
            case OffsetRetired():
                self._offset(seq, fact)

    def _credit(self, seq: int, fact: CarbonCredited) -> None:
        """The credit is what its method makes of the links right before it, all of which were retired for it."""
        if self._linked is None or self._retired is None:
            raise Refused("carbon.incomplete", "A carbon credit's facts come one right after the other.")
        (_, links), (retired_seq, moved, rows) = self._linked, self._retired
        self._linked = None
        mine = moved.purpose == f"{PURPOSE} {fact.register}" and seq - retired_seq == 2
        same = all(
            np.array_equal(links[f"source{side}"], rows[name])
            for side, name in (("", "register"), ("_start", "start"), ("_stop", "stop"))
        )
        if not mine or not same:
            raise Refused("carbon.not_retired", "A carbon credit uses up the attributes retired for it, no others.")
        method = self.method(fact.method, fact.version)
        parts = self._books.titles[Right.ATTRIBUTE].parts(rows["register"], rows["start"], rows["stop"])
        avoided = self.reckon(method, parts)
        self._check_figures(method, fact, avoided, links)
        self._avoided_ug[fact.register] = self.avoided_ug(fact.register) + fact.avoided_ug
        self.credits.append((seq, fact))
        self._credited = (seq, fact)

    def _check_figures(self, method: MethodAdopted, fact: CarbonCredited, avoided: Avoided, links: Columns) -> None:
        at = grams_down(self.avoided_ug(fact.register), avoided.avoided_ug)
        target = self._books.registers.id_of(fact.register)
        said = (fact.zone, fact.technology, fact.vintage, fact.energy_wh, fact.avoided_ug, fact.start, fact.stop)
        made = (
            avoided.zone, avoided.technology, avoided.vintage, avoided.energy_wh, int(avoided.avoided_ug.sum()),
            int(at[0]), int(at[-1]),
        )  # fmt: skip
        good = said == made and fact.register == register_of(method, fact.vintage)
        good &= fact.buffer_g == buffer_up(method, fact.stop - fact.start)
        good &= bool((links["target"] == target).all()) and np.array_equal(links["target_start"], at[:-1])
        if not good or not np.array_equal(links["target_stop"], at[1:]):
            raise Refused("carbon.differs", "A carbon credit is not what its method makes of its certificates.")

    def _issue(self, columns: Columns) -> None:
        """Titles go to the holder, and the last grams to the buffer."""
        if self._credited is None:
            raise Refused("carbon.incomplete", "A carbon credit's facts come one right after the other.")
        _, credited = self._credited
        self._credited = None
        accounts, cut = self._books.accounts, credited.stop - credited.buffer_g
        method = self.method(credited.method, credited.version)
        holders = [accounts.id_of(credited.holder)] * (cut > credited.start)
        holders += [accounts.id_of(method.buffer)] * (credited.buffer_g > 0)
        units = credited.stop - credited.start
        if columns["holder"].tolist() != holders or int((columns["stop"] - columns["start"]).sum()) != units:
            raise Refused("carbon.holders", "A credit's titles are its holder's, and the last ones its buffer's.")
        if credited.buffer_g and int(columns["start"][-1]) != cut:
            raise Refused("carbon.holders", "A credit's titles are its holder's, and the last ones its buffer's.")

    def check_moves(self, columns: Columns, state: TitleState) -> None:
        """That what a buffer holds is not sold; raises Refused ``carbon.buffered``."""
        buffers = [self._books.accounts.id_of(one.buffer) for one in self.methods.values()]
        if state is not TitleState.RETIRED and np.isin(columns["source"], buffers).any():
            raise Refused("carbon.buffered", "What a buffer holds is retired to make good, never sold or used.")

    def _offset(self, seq: int, fact: OffsetRetired) -> None:
        if self._retired is None or self._retired[0] != seq - 1 or _said(self._retired[1]) != _due(fact):
            raise Refused("offset.not_retired", "An offset is what was retired right before it, and for it alone.")
        self.check_offset(fact)
        self.offsets.append((seq, fact))
        if fact.work is Work.ANSWER:
            self._answers.add((fact.name, fact.number))

    def digest(self) -> bytes:
        """sha256 over all of it."""
        told = (self.methods, self.credits, self.offsets, self._avoided_ug)
        return hashlib.sha256(repr(told).encode() + self.factors.digest()).digest()


def offset_purpose(offset: OffsetRetired) -> str:
    """Purpose of retiring attributes for AI work."""
    answer = f" answer {offset.number}" if offset.work is Work.ANSWER else ""
    return f"offset of {offset.work} {offset.name}{answer}"


def _said(retired: TitlesMoved) -> tuple[str, str, int]:
    return retired.purpose, retired.beneficiary, retired.quantity


def _due(offset: OffsetRetired) -> tuple[str, str, int]:
    return offset_purpose(offset), offset.beneficiary, offset.quantity_wh

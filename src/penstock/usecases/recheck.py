"""Recheck: what an attester does with each fact of somebody else's record before it believes it.

Packets are judged again from their bytes; a deal's text is compiled again; what was served is held against the rack's
signed meter and against every link that says where the energy went. Facts of the books themselves need no line here:
folding them enforces the books' laws.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np

from penstock.capital.compile import COMPILER
from penstock.compute.credit import whole_credits
from penstock.energy.review import of_day
from penstock.errors import PenstockError, Unverified
from penstock.journal.asset_rows import pledged_names, read_names
from penstock.journal.fact import Entry, Recorded
from penstock.journal.kinds.capital import DealOriginated, PeriodClosed
from penstock.journal.kinds.compute import AnswersServed, CreditsRedeemed
from penstock.journal.kinds.device import RegisterCorrected
from penstock.journal.kinds.energy import PacketsReceived, ReadingsVerified, SpansLinked, TitlesIssued
from penstock.journal.kinds.lift import TitlesLifted
from penstock.journal.kinds.quarantine import QuarantineLifted, ReadingsReviewed
from penstock.journal.kinds.servicing import AssetsPooled, DealAmended
from penstock.journal.kinds.work import EnergySealed
from penstock.journal.laws import corrections_hold
from penstock.journal.sealed_rows import ERASED
from penstock.journal.segment import SALTED, Column, Columns
from penstock.journal.vault import SPAN
from penstock.journal.words import LinkKind, Right
from penstock.period import DAY_US
from penstock.units import MJ_PER_WH
from penstock.usecases.close import moved
from penstock.usecases.correct import correct
from penstock.usecases.ingest import counts_unsigned, rejudged
from penstock.usecases.originate import recompile
from penstock.usecases.recheck_work import WorkRecheck
from penstock.usecases.reclose import reclosed
from penstock.usecases.registry.properties import properties
from penstock.usecases.release import lifted
from penstock.usecases.review import EARLY_US, looked_at, review
from penstock.usecases.servicing.pledge import check_pledge
from penstock.usecases.world import World

Slot = tuple[str, int, int]


@dataclass(slots=True)
class Counted:
    """What a record says of one rack and period: served, and by each kind of link [Wh, mJ, tokens]."""

    energy_mj: int = 0
    sealed_mj: int | None = None
    answers: int = 0
    tokens: list[Column] = field(default_factory=list)
    metered_wh: int = 0
    allocated_wh: int = 0
    converted_mj: int = 0
    worked_mj: int = 0
    served_tokens: list[Column] = field(default_factory=list)


@dataclass(slots=True)
class Recheck:
    """Holds a record's facts against what they rest on. ``world`` is the attester's own replica."""

    world: World
    _expected: deque[Entry] = field(default_factory=deque)
    _readings: list[tuple[Recorded, Callable[[], Columns]]] = field(default_factory=list)
    _erased: bool = False
    _meters: dict[int, tuple[list[int], list[int]]] = field(default_factory=dict)
    _counted: dict[Slot, Counted] = field(default_factory=dict)
    _open: set[Slot] = field(default_factory=set)
    _work: WorkRecheck = field(init=False)

    def __post_init__(self) -> None:
        self._work = WorkRecheck(self.world)

    def before(self, recorded: Recorded, columns: Columns | None) -> None:
        """Check one fact against the replica as it stood before it.

        Raises:
            Unverified: ``attest.review_differs``, ``attest.certified_in_quarantine``,
            ``attest.verdicts_differ``, ``attest.program_differs``, ``attest.release_differs``,
            ``attest.correction_differs``, ``attest.lift_differs``, ``attest.pledge_differs``,
            ``attest.close_differs``; as `WorkRecheck.before`.
        """
        self._expect(recorded, columns or {})
        self._work.before(recorded, columns or {})
        match recorded.fact:
            case PacketsReceived() as received:
                self._rejudge(recorded, received, columns or {})
            case ReadingsVerified():
                _check_instants(recorded, columns or {})
            case QuarantineLifted() as decision:
                self._relift(recorded, decision)
            case ReadingsReviewed() as reviewed:
                self._rereview(recorded, reviewed, columns or {})
            case TitlesIssued() as issued:
                self._check_issue(recorded, issued, columns or {})
            case TitlesLifted() as lift:
                self._check_lift(recorded, lift, columns or {})
            case RegisterCorrected() as correction:
                self._recorrect(recorded, correction)
            case DealOriginated() | DealAmended() as said:
                _check_program(said)
                if isinstance(said, DealOriginated):
                    self._check_pledge(recorded, said.assets)
            case AssetsPooled():
                self._check_pledge(recorded, pledged_names(read_names((columns or {})["named"])))
            case CreditsRedeemed() as redeemed:
                self._check_release(recorded, redeemed)
            case PeriodClosed() as closed:
                self._check_close(recorded, closed)

    def after(self, recorded: Recorded, columns: Columns | None, again: Callable[[], Columns] | None = None) -> None:
        """Count one fact that was folded; ``again`` reads its rows once more, so that they need not be kept."""
        match recorded.fact:
            case ReadingsVerified() if columns is not None:
                self._read_meters(columns)
                self._readings.append((recorded, again or (lambda: columns)))
            case AnswersServed() as served if columns is not None:
                slot = (served.rack, served.start_us, served.stop_us)
                counted = self._counted.setdefault(slot, Counted())
                counted.energy_mj += served.energy_mj
                counted.answers += served.answers
                counted.tokens.append(columns["tokens"])
                self._open.add(slot)
            case EnergySealed() as sealed:
                slot = (sealed.rack, sealed.start_us, sealed.stop_us)
                self._counted.setdefault(slot, Counted()).sealed_mj = sealed.meter_mj
            case SpansLinked() as linked if columns is not None:
                self._count_links(linked, columns)

    def settle(self) -> None:
        """Check every period served since the last call: its figures, its meter and its links agree, to the unit.

        Raises:
            Unverified: ``attest.figures_differ``; ``attest.verdicts_differ`` for packets without readings;
            ``attest.correction_differs`` for a correction without its withdrawals, or a debt that was not covered.
        """
        if self._expected:
            raise self._missing(self._expected[0], self.world.books.size)
        if next(corrections_hold(self.world.books), None) is not None:
            raise _correction_differs(self.world.books.size)
        for slot in sorted(self._open):
            self._check_figures(slot, self._counted[slot])
        self._open.clear()

    def _expect(self, recorded: Recorded, columns: Columns) -> None:
        """Right after packets, or a decision on quarantine, come readings exactly as they are judged here."""
        expected = self._expected.popleft() if self._expected else None
        verified = isinstance(recorded.fact, ReadingsVerified) and not self._erased
        if (expected is not None and not _agrees(recorded, columns, expected)) or (verified and expected is None):
            raise self._missing(expected, recorded.seq)

    @staticmethod
    def _missing(expected: Entry | None, seq: int) -> Unverified:
        readings = expected is None or isinstance(expected.fact, ReadingsVerified)
        return _verdicts_differ(seq) if readings else _correction_differs(seq)

    def _relift(self, recorded: Recorded, decision: QuarantineLifted) -> None:
        if self._erased:
            return
        try:
            _, *readings = lifted(self.world, decision)
        except PenstockError as error:
            raise _verdicts_differ(recorded.seq) from error
        self._expected.extend(readings)

    def _recorrect(self, recorded: Recorded, correction: RegisterCorrected) -> None:
        """After a correction come the epoch and the withdrawals that it leads to here."""
        try:
            _, *following = correct(self.world, correction)
        except PenstockError as error:
            raise _correction_differs(recorded.seq) from error
        self._expected.extend(following)

    def _rereview(self, recorded: Recorded, reviewed: ReadingsReviewed, columns: Columns) -> None:
        """A day's readings, side by side, show what the record says. Once rows were erased, nobody can know."""
        if self._erased:
            return
        day_us, facts = reviewed.day_us, reviewed.facts
        parts = [again() for fact, again in self._readings if looked_at(fact, day_us, facts)]
        if any((part["verdict"] == ERASED).any() for part in parts):
            return
        try:
            days = [of_day(part, day_us // DAY_US, self.world.energy) for part in parts]
            (entry,) = review(self.world, day_us, facts, days, recorded.at_us)
        except PenstockError as error:
            raise _review_differs(recorded.seq) from error
        found = entry.segment.columns if entry.segment else {}
        if entry.fact != reviewed or any(not np.array_equal(columns[name], found[name]) for name in found):
            raise _review_differs(recorded.seq)

    def _check_lift(self, recorded: Recorded, lift: TitlesLifted, rows: Columns) -> None:
        """The id on chain says what the lifted titles are: all of one kind, that very one."""
        spans = (np.asarray(rows[name], dtype=np.int64) for name in SPAN)
        kinds, _ = properties(self.world, self.world.books.titles[Right.ATTRIBUTE].parts(*spans))
        if [kind.certificate() for kind in kinds] != [lift.certificate]:
            sentence = f"Fact {recorded.seq} lifts titles under an id that is not theirs."
            raise Unverified("attest.lift_differs", sentence, seq=recorded.seq)

    def _check_issue(self, recorded: Recorded, issued: TitlesIssued, columns: Columns) -> None:
        """Nothing is certified of an interval that ends after its register's first doubtful reading."""
        held_us = self.world.energy.held_from_us(columns["register"])
        if (columns["interval_us"] + issued.interval_us > held_us).any():
            sentence = "Certificates were issued of a register from its quarantine on."
            raise Unverified("attest.certified_in_quarantine", sentence, seq=recorded.seq)

    def _rejudge(self, recorded: Recorded, received: PacketsReceived, columns: Columns) -> None:
        """Packets come to the verdicts recorded. Once rows were erased, nobody can know where their devices stood:
        from then on no packet may count that its device did not sign.
        """
        self._erased |= bool((columns["verdict"] == ERASED).any())
        if self._erased:
            if counts_unsigned(self.world, columns):
                raise _verdicts_differ(recorded.seq)
            return
        received_us = int(columns["received_us"][0]) if len(columns["received_us"]) else recorded.at_us
        packets, readings = rejudged(self.world, columns, received_us, received.rules)
        if not _agrees(recorded, columns, packets):
            raise _verdicts_differ(recorded.seq)
        said = cast(ReadingsVerified, readings.fact)
        self._expected.append(Entry(replace(said, packets_root=received.segment.root), readings.segment))

    def _check_pledge(self, recorded: Recorded, names: Sequence[str]) -> None:
        """What is pledged is free: not to another deal by another name, and not sold forward."""
        try:
            check_pledge(self.world, names)
        except PenstockError as error:
            raise Unverified("attest.pledge_differs", error.message, seq=recorded.seq) from error

    def _check_close(self, recorded: Recorded, closed: PeriodClosed) -> None:
        """A close comes out again, and moved the dollars that the record says: whom a deal paid may not pay it."""
        record = self.world.capital.deal(closed.deal)
        _, program = recompile(record.originated)
        try:
            found = reclosed(program, record.state, closed, record.reports.get(closed.period))
        except PenstockError as error:
            raise _close_differs(recorded.seq, error.message) from error
        if found is None or moved(closed.deal, program, found[0]) != closed.transfers:
            raise _close_differs(recorded.seq, "A closed period does not come out as recorded.")

    def _check_release(self, recorded: Recorded, redeemed: CreditsRedeemed) -> None:
        """Dollars move only for whole credits that were sold, their tokens served, at the price they were sold at.

        Redemptions of credits with capacity behind them are worked out again as they are folded, links and all.
        """
        if redeemed.credit_class in self.world.capacity.credits.classes:
            return
        compute = self.world.compute
        try:
            value = compute.check_redemption(redeemed.credit_class, redeemed.credits)
        except PenstockError as error:
            raise _release_differs(recorded.seq, error.message) from error
        book = compute.book(redeemed.credit_class)
        delivered = whole_credits(sum(compute.tokens_served.values()), book.terms.units_per_credit)
        if book.redeemed + redeemed.credits > delivered:
            raise _release_differs(recorded.seq, "More credits are redeemed than were delivered.")
        if sum(transfer.usdc_micro for transfer in redeemed.transfers) != value:
            raise _release_differs(recorded.seq, f"{redeemed.credits} credits release {value} micro-dollars, no other.")

    def _read_meters(self, readings: Columns) -> None:
        for rack in self.world.compute.racks.values():
            register = self.world.books.registers.id_of(rack.import_register)
            rows = np.flatnonzero((readings["register"] == register) & (readings["verdict"] == 0))
            at_us, position_wh = self._meters.setdefault(register, ([0], [0]))
            at_us += readings["at_us"][rows].tolist()
            position_wh += readings["position_wh"][rows].tolist()

    def _count_links(self, linked: SpansLinked, columns: Columns) -> None:
        for rack in self.world.compute.racks.values():
            slot = (rack.rack, linked.start_us, linked.stop_us)
            counted = self._counted.setdefault(slot, Counted())
            match linked.link:
                case LinkKind.ALLOCATE:
                    counted.allocated_wh += int(self._units(columns, "target", rack.import_register).sum())
                case LinkKind.CONVERT:
                    counted.converted_mj += int(self._units(columns, "target", rack.energy_register).sum())
                case LinkKind.WORK:
                    counted.worked_mj += int(self._units(columns, "source", rack.energy_register).sum())
                case LinkKind.SERVE:
                    counted.served_tokens.append(self._units(columns, "target", rack.token_register))

    def _units(self, columns: Columns, side: str, register: str) -> Column:
        """Units of each link that touches ``register`` on a side."""
        rows = columns[side] == self.world.books.registers.id_of(register)
        units: Column = (columns[f"{side}_stop"] - columns[f"{side}_start"])[rows]
        return units

    def _check_figures(self, slot: Slot, counted: Counted) -> None:
        name, start_us, _ = slot
        if counted.sealed_mj is not None:
            self._check_sealed(slot, counted)
        else:
            self._check_hours(slot, counted)
        requested, linked = _joined(counted.tokens), _joined(counted.served_tokens)
        if counted.answers != len(requested) or not np.array_equal(requested, linked):
            sentence = "The answers' tokens are not those that the links carry."
            raise Unverified("attest.figures_differ", sentence, rack=name, start_us=start_us)

    def _check_sealed(self, slot: Slot, counted: Counted) -> None:
        """An interval sealed to the millijoule: all of it is shared out, and the rack's meter stands no lower.

        The meter counts a Wh when it begins to be drawn. Links may be missing where nobody bought the energy.
        """
        name, start_us, stop_us = slot
        register = self.world.books.registers.id_of(self.world.compute.racks[name].import_register)
        metered_mj = _metered(self._meters.get(register, ([0], [0])), 0, stop_us) * MJ_PER_WH
        told = sum(one.energy_mj for (rack, _, stop), one in self._counted.items() if rack == name and stop <= stop_us)
        linked = counted.worked_mj in (0, counted.energy_mj)
        if counted.energy_mj != counted.sealed_mj or not linked or told > metered_mj:
            said = f"served {counted.energy_mj}, sealed {counted.sealed_mj}, worked {counted.worked_mj}"
            said += f", in all {told} of {metered_mj}"
            sentence = "What was served is not what was sealed, linked and metered."
            raise Unverified("attest.figures_differ", sentence, rack=name, start_us=start_us, energy_mj=said)

    def _check_hours(self, slot: Slot, counted: Counted) -> None:
        """An interval of whole Wh: what was served, metered, bought and linked is one figure."""
        name, start_us, stop_us = slot
        register = self.world.books.registers.id_of(self.world.compute.racks[name].import_register)
        counted.metered_wh = _metered(self._meters.get(register, ([0], [0])), start_us, stop_us)
        energy = {
            "served": counted.energy_mj,
            "metered": counted.metered_wh * MJ_PER_WH,
            "allocated": counted.allocated_wh * MJ_PER_WH,
            "converted": counted.converted_mj,
            "worked": counted.worked_mj,
        }
        if len(set(energy.values())) != 1:
            said = ", ".join(f"{word} {figure}" for word, figure in energy.items())
            sentence = "What was served is not what the meter and the links say."
            raise Unverified("attest.figures_differ", sentence, rack=name, start_us=start_us, energy_mj=said)


def _agrees(recorded: Recorded, columns: Columns, expected: Entry) -> bool:
    """Whether a fact says what is expected, of the same rows: salted leaves have another root."""
    fact, other = recorded.fact, expected.fact
    if fact == other:
        return True
    if not isinstance(fact, PacketsReceived | ReadingsVerified) or not isinstance(other, type(fact)):
        return False
    rows = expected.segment.columns if expected.segment else {}
    same = fact.segment.format == other.segment.format + SALTED and replace(fact, segment=other.segment) == other
    return same and all(np.array_equal(columns[name], column) for name, column in rows.items())


def _check_instants(recorded: Recorded, readings: Columns) -> None:
    """Nobody hides readings from the review of their day by recording them long before it."""
    counts = readings["verdict"] == 0
    if (readings["at_us"][counts] > recorded.at_us + EARLY_US).any():
        raise _verdicts_differ(recorded.seq)


def _check_program(originated: DealOriginated | DealAmended) -> None:
    try:
        _, program = recompile(originated)
    except PenstockError as error:
        raise _program_differs(originated.deal, error.message) from error
    said = (originated.program, originated.schedule, originated.deal_hash, originated.program_hash, originated.compiler)
    if said != (program.code, program.rows, program.deal_hash, program.program_hash, COMPILER):
        raise _program_differs(originated.deal, "The deal's text compiles to another program than recorded.")


def _metered(meter: tuple[Sequence[int], Sequence[int]], start_us: int, stop_us: int) -> int:
    """What a meter counted from ``start_us`` to ``stop_us`` [Wh]: between its last readings up to either."""
    at_us, position_wh = (np.array(side, dtype=np.int64) for side in meter)
    first, last = np.searchsorted(at_us, [start_us, stop_us], side="right") - 1
    return int(position_wh[last] - position_wh[first])


def _joined(parts: Sequence[Column]) -> Column:
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


def _verdicts_differ(seq: int) -> Unverified:
    sentence = "Judged again, the packets come to other verdicts or readings than the record says."
    return Unverified("attest.verdicts_differ", sentence, seq=seq)


def _correction_differs(seq: int) -> Unverified:
    sentence = "A correction leads to another epoch or other withdrawals than the record says."
    return Unverified("attest.correction_differs", sentence, seq=seq)


def _review_differs(seq: int) -> Unverified:
    sentence = "Reviewed again, the day's readings show something else than the record says."
    return Unverified("attest.review_differs", sentence, seq=seq)


def _program_differs(deal: str, sentence: str) -> Unverified:
    return Unverified("attest.program_differs", sentence, deal=deal)


def _close_differs(seq: int, sentence: str) -> Unverified:
    return Unverified("attest.close_differs", sentence, seq=seq)


def _release_differs(seq: int, sentence: str) -> Unverified:
    return Unverified("attest.release_differs", sentence, seq=seq)

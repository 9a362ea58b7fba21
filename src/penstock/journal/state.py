"""The state of a journal: a fold of its facts into books, and the guards that deciding a new fact needs.

``apply`` takes one recorded fact after the other, each with the columns of its segment; equal journals give equal
digests. A fact that was sealed but does not apply is `Corrupt`. The ``check_...`` guards refuse the same things
beforehand, changing nothing. That columns are those the fact sealed is for whoever reads them to check.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Conflict, Corrupt, Invalid, NotFound, PenstockError, Refused
from penstock.journal import link_rules
from penstock.journal.claim_rules import check_hours
from penstock.journal.correction import COUNTED_RIGHTS, Corrections, used_above
from penstock.journal.enrolled import Enrolled
from penstock.journal.fact import FactBody, Recorded
from penstock.journal.kinds.capital import CollectionReceived
from penstock.journal.kinds.device import EpochOpened, RegisterCorrected
from penstock.journal.kinds.energy import (
    DeviceEnrolled,
    DevicesEnrolled,
    ReadingsVerified,
    SiteRegistered,
    SpansLinked,
    TitlesIssued,
    TitlesMoved,
)
from penstock.journal.kinds.ledger import AccountOpened, RegisterOpened, Transfer
from penstock.journal.kinds.lift import TitlesLifted, TitlesReturned
from penstock.journal.kinds.withdrawal import CertificatesWithdrawn
from penstock.journal.ledger_book import Ledger
from penstock.journal.links import LinkBook
from penstock.journal.lots import Lots
from penstock.journal.register import Accounts, Registers
from penstock.journal.segment import Columns, SegmentRef
from penstock.journal.storage_book import KINDS as STORAGE_FACTS
from penstock.journal.storage_book import Storages
from penstock.journal.storage_titles import check_issue as check_storage_issue
from penstock.journal.titles import MovePlan, TitleBook, Verdict
from penstock.journal.vault import SPAN, Vault
from penstock.journal.withdrawal import Reach, reach
from penstock.journal.words import TITLE_STATES, EpochCause, LinkKind, RegisterKind, Right, TitleState

Ints = NDArray[Any]
UNBOUNDED: Final = 2**63 - 1
_HELD, _RESERVED, _CLAIMED, _WITHDRAWN, _EXPIRED = map(
    TITLE_STATES.index,
    (TitleState.HELD, TitleState.RESERVED, TitleState.CLAIMED, TitleState.WITHDRAWN, TitleState.EXPIRED),
)

REFUSALS: Final[dict[Verdict, tuple[type[PenstockError], str, str]]] = {
    Verdict.NO_TITLE: (NotFound, "titles.none", "There is no title at this position"),
    Verdict.OTHER_HOLDER: (Refused, "titles.other_holder", "The source does not hold this title"),
    Verdict.NOT_ACTIVE: (Refused, "titles.not_active", "A title in this state cannot change so"),
    Verdict.CROSSES_TITLE: (Refused, "titles.crosses", "The span reaches beyond the title it starts in"),
    Verdict.MALFORMED: (Invalid, "titles.malformed", "The row is malformed, or names nobody or no register"),
    Verdict.OVERLAP_OR_GAP: (Conflict, "titles.overlap_or_gap", "An issue starts where the one before it stopped"),
    Verdict.BEYOND_METER: (Refused, "titles.beyond_meter", "Nothing is issued beyond what the register counted"),
    Verdict.EXPIRED: (Refused, "titles.expired", "This title has expired"),
    Verdict.NOT_EXPIRED: (Refused, "titles.not_expired", "This title is still valid"),
}


def refuse_first(verdicts: Ints, columns: Columns) -> None:
    """Raise what the first verdict that is not 0 means, with its row; codes as in `REFUSALS`."""
    if verdicts.any():
        row = int(np.argmax(verdicts > 0))
        error, code, sentence = REFUSALS[Verdict(verdicts[row])]
        register, start, stop = (int(columns[name][row]) for name in ("register", "start", "stop"))
        place = f"[{start}, {stop}) of register {register}"
        raise error(code, f"{sentence}: {place}.", row=row, refused=int((verdicts > 0).sum()))


class Books:
    """Everything that follows from a journal's facts."""

    def __init__(self) -> None:
        self.registers = Registers()
        self.accounts = Accounts()
        self.enrolled = Enrolled(self.registers)
        self.titles = {right: TitleBook() for right in Right}
        self.lots = Lots()
        self.vault = Vault()
        self.links = {kind: LinkBook() for kind in LinkKind}
        self.ledger = Ledger(self.accounts)
        self.storages = Storages(self.registers, self.accounts, self.titles, self.lots, self.links)
        self.corrections = Corrections()
        self.size = 0
        self.at_us = 0  # instant of the fact that is being applied

    @property
    def sites(self) -> dict[str, SiteRegistered]:
        """Every site, by name."""
        return self.enrolled.sites

    def device_id(self, device: str) -> int:
        """A device's number, in order of enrolment; NotFound ``device.unknown``."""
        return self.enrolled.names.id_of(device)

    def issue_limit(self) -> NDArray[np.int64]:
        """How far each register may be issued: a counted one to where it stands, others without a bound.

        One that was corrected issues no more; where a storage is discharged, only what its charge filled.
        """
        limit = np.where(self.registers.are(RegisterKind.COUNTED), self.registers.read, UNBOUNDED)
        limit[self.corrections.ended(len(limit))] = 0
        self.storages.limit(limit)
        return limit

    def used_above(self, register: int, true_wh: int) -> tuple[Ints, Ints]:
        """Spans above ``true_wh`` of a register that somebody used, or that cover a debt: see `correction`."""
        return used_above(self.titles, self.links, self.corrections.debts, register, true_wh)

    def last_interval(self, right: Right, register: Ints) -> tuple[Ints, Ints]:
        """Start and stop of the interval of each register's last title [us], or of the one it continues; 0 for none."""
        book, before = self.titles[right], self.corrections.before()
        present, place = np.unique(register, return_inverse=True)
        issuing = np.array([_first(book.head, one, before) for one in present.tolist()], dtype=np.int64)
        start, stop = (np.zeros(len(present), dtype=np.int64) for _ in range(2))
        rows = np.flatnonzero(issuing >= 0)
        heads = book.heads(len(self.registers))
        last = book.containing(issuing[rows], heads[issuing[rows]] - 1)
        start[rows] = last["interval_us"]
        stop[rows] = last["interval_us"] + self.lots.column("interval_us")[last["lot"]]
        return start[place], stop[place]

    def reach(self, spans: Columns) -> Reach:
        """What withdrawing certificates comes to: see `withdrawal`.

        Raises:
            NotFound: ``titles.none``. Conflict: ``withdraw.twice``. Refused: ``withdraw.gone`` where some are
            withdrawn already.
        """
        self.registers.check_known(spans["register"])
        self.corrections.withdrawn.check_new(spans)
        titles = self.titles[Right.ATTRIBUTE]
        parts = titles.parts(spans["register"], spans["start"], spans["stop"])
        if int((parts["stop"] - parts["start"]).sum()) != int((spans["stop"] - spans["start"]).sum()):
            raise NotFound("titles.none", "Not all of this was issued.")
        if (parts["state"] == _WITHDRAWN).any():
            raise Refused("withdraw.gone", "Some of these certificates are withdrawn already.")
        return reach(titles, self.links, spans)

    def check_issue(self, right: Right, issue: Columns) -> None:
        """That every row of an issue (columns of ``title/1``) may be issued.

        Raises:
            As `refuse_first`; Refused ``titles.not_issued_here`` where a register does not issue the right.
        """
        refuse_first(self.titles[right].plan_issue(issue, self.issue_limit(), len(self.accounts)), issue)
        elsewhere = ~self.registers.issues(right)[issue["register"]]
        if elsewhere.any():
            row = int(np.argmax(elsewhere))
            urn = self.registers.urn(int(issue["register"][row]))
            raise Refused("titles.not_issued_here", f"{urn} does not issue {right}.", row=row, register=urn)

    def expired(self, lot: Ints, interval_us: Ints, at_us: int) -> NDArray[np.bool_]:
        """Which titles, by their lot and the start of their interval [us], were valid no more at ``at_us``."""
        lots = self.lots
        valid_us = lots.column("valid_us")[lot]
        ends_us = interval_us + lots.column("interval_us")[lot]
        late: NDArray[np.bool_] = (valid_us > 0) & (at_us - ends_us >= valid_us)
        return late

    def judge_moves(self, right: Right, moves: Columns, at_us: int | None = None) -> NDArray[np.uint8]:
        """The verdict of each row of moves (columns of ``move/1``), in order, as of ``at_us``; nothing changes.

        Without an instant nothing is said of what has expired; the books ask when they apply the fact.
        """
        verdicts = self._untimely(right, moves, at_us)
        timely = np.flatnonzero(verdicts == 0)
        rows = moves if len(timely) == len(verdicts) else {name: column[timely] for name, column in moves.items()}
        verdicts[timely] = self.titles[right].plan_moves(rows, len(self.accounts)).verdicts
        return verdicts

    def check_moves(self, right: Right, moves: Columns, at_us: int | None = None) -> None:
        """That every row of moves would be accepted; raises as `refuse_first`."""
        refuse_first(self.judge_moves(right, moves, at_us), moves)

    def _untimely(self, right: Right, moves: Columns, at_us: int | None) -> NDArray[np.uint8]:
        """Rows that come too late, of what has expired, or that expire what is valid. Release and withdrawal may."""
        verdicts = np.zeros(len(moves["start"]), dtype=np.uint8)
        expires = moves["state"] == _EXPIRED
        if at_us is None or not (expires.any() or self.lots.column("valid_us").any()):
            return verdicts
        titles = self.titles[right].parts(moves["register"], moves["start"], moves["start"] + 1)
        query, state = titles["query"], moves["state"][titles["query"]]
        late = self.expired(titles["lot"], titles["interval_us"], at_us)
        released = (titles["state"] == _RESERVED) & (state == _HELD)
        released &= moves["source"][query] == moves["target"][query]
        used = np.isin(titles["state"], (_HELD, _RESERVED)) & ~np.isin(state, (_EXPIRED, _WITHDRAWN)) & ~released
        verdicts[query[late & used]] = Verdict.EXPIRED
        verdicts[query[~late & (state == _EXPIRED)]] = Verdict.NOT_EXPIRED
        return verdicts

    def check_links(self, kind: LinkKind, links: Columns) -> None:
        """That links (columns of ``link/1``) may be added.

        Raises:
            NotFound: ``register.unknown``. Refused: ``links.units``, ``links.unequal``, ``links.gap``,
            ``links.beyond_meter``, ``links.hour``. As `LinkBook.check_add`.
        """
        for side in ("source", "target"):
            self.registers.check_known(links[side])
        link_rules.check(kind, links, self.registers)
        if kind is LinkKind.CLAIM:
            check_hours(self, links)
        self.links[kind].check_add(links)

    def check_transfers(self, transfers: tuple[Transfer, ...]) -> None:
        """That transfers can be posted; raises as `Ledger.check`."""
        self.ledger.check(transfers)

    def apply(self, recorded: Recorded, columns: Columns | None = None) -> None:
        """Take in the next fact, whole or not at all.

        Raises:
            Corrupt: ``state.out_of_order``, ``state.columns``, ``state.does_not_apply``.
        """
        if recorded.seq != self.size:
            raise Corrupt(
                "state.out_of_order", f"Fact {recorded.seq} comes where {self.size} is due.", seq=recorded.seq
            )
        self._check_columns(recorded, columns)
        self.at_us = recorded.at_us
        try:
            bracket = self.ledger.check(getattr(recorded.fact, "transfers", ()))
            effect = _EFFECTS.get(type(recorded.fact))
            if effect is not None:
                effect(self, recorded.fact, columns or {})
            self.ledger.close(bracket)
        except (Refused, Invalid, NotFound, Conflict) as error:
            sentence = f"Fact {recorded.seq} does not apply: {error.message}"
            raise Corrupt("state.does_not_apply", sentence, cause=error.code, seq=recorded.seq, **error.ids) from error
        self.size = recorded.seq + 1

    @staticmethod
    def _check_columns(recorded: Recorded, columns: Columns | None) -> None:
        ref: SegmentRef | None = getattr(recorded.fact, "segment", None)
        rows = {len(column) for column in (columns or {}).values()}
        if ref is not None and type(recorded.fact) in _EFFECTS and rows != {ref.rows}:
            sentence = f"Fact {recorded.seq} seals {ref.rows} rows of {ref.format}, which were not handed over."
            raise Corrupt("state.columns", sentence, seq=recorded.seq)

    def _open_account(self, fact: AccountOpened, _: Columns) -> None:
        self.accounts.open(fact)

    def _open_register(self, fact: RegisterOpened, _: Columns) -> None:
        self.registers.open(fact)

    def _register_site(self, fact: SiteRegistered, _: Columns) -> None:
        self.enrolled.register_site(fact)

    def _enrol_device(self, fact: DeviceEnrolled, _: Columns) -> None:
        self.enrolled.enrol_one(fact)

    def _enrol_devices(self, fact: DevicesEnrolled, columns: Columns) -> None:
        self.enrolled.enrol_many(fact, columns)

    def _open_epoch(self, fact: EpochOpened, _: Columns) -> None:
        self.enrolled.open_epoch(fact)
        register, before = self.registers.id_of(fact.register), self.registers.id_of(fact.predecessor)
        heads = {right: self.titles[right].head(before) for right in COUNTED_RIGHTS}
        head_wh = max(heads.values())
        if fact.cause in (EpochCause.CORRECTED_DOWN, EpochCause.CORRECTED_UP):
            true_wh = self.corrections.true_wh(before)
            start, stop = self.used_above(before, true_wh)
            self.corrections.check_debt(fact.debt_wh, int((stop - start).sum()))
            if self.registers.certified[before]:  # counted beyond certificates, and truly
                self.registers.raise_to(np.array([register]), np.array([max(true_wh - head_wh, 0)]))
        issued = {right: head for right, head in heads.items() if self.registers.issues(right)[before]}
        self.corrections.follow(register, before, issued, fact.debt_wh)
        self.storages.follow(register, before)

    def _correct_register(self, fact: RegisterCorrected, _: Columns) -> None:
        self.corrections.correct(self.registers.id_of(fact.register), fact.true_wh)

    def _verify_readings(self, _: ReadingsVerified, readings: Columns) -> None:
        self.registers.advance(*accepted_readings(readings))

    def _issue_titles(self, fact: TitlesIssued, issue: Columns) -> None:
        _expect(fact.quantity, _units(issue, ""), "quantity")
        self.check_issue(fact.right, issue)
        check_storage_issue(self.storages, fact, issue)
        self._check_times(fact, issue)
        lot = self.lots.add(self.size, fact)
        self.titles[fact.right].issue(issue, self.issue_limit(), len(self.accounts), lot)

    def _check_times(self, fact: TitlesIssued, issue: Columns) -> None:
        """That intervals of what a meter counted follow on each other: the same one goes on, or one that comes after.

        Raises:
            Conflict: ``titles.interval``.
        """
        metered = np.flatnonzero(self.enrolled.metered()[issue["register"]])
        if fact.right not in COUNTED_RIGHTS or not len(metered):
            return
        order = metered[np.argsort(issue["register"][metered], kind="stable")]
        register, start_us = issue["register"][order], issue["interval_us"][order]
        first = np.r_[True, register[1:] != register[:-1]][: len(register)]
        step_us = np.diff(start_us)
        early = ~first[1:] & ((step_us < 0) | ((step_us > 0) & (step_us < fact.interval_us)))
        begun_us, reach_us = self.last_interval(fact.right, register[first])
        begins_us = start_us[first]
        again = (begins_us == begun_us) & (begins_us + fact.interval_us == reach_us)
        if early.any() or ((begins_us < reach_us) & ~again).any():
            raise Conflict("titles.interval", "A register has titles within this interval already.")

    def _move_titles(self, fact: TitlesMoved, moves: Columns) -> None:
        _expect(fact.quantity, _units(moves, ""), "quantity")
        if (moves["state"] != TITLE_STATES.index(fact.state)).any():
            raise Invalid("titles.state", f"A fact that moves titles into {fact.state} moves all of them there.")
        refuse_first(self._untimely(fact.right, moves, self.at_us), moves)
        plan = self.titles[fact.right].plan_moves(moves, len(self.accounts))
        refuse_first(plan.verdicts, moves)
        self._check_undone(fact, moves)
        if self._touches_lifted(fact, plan):
            self.vault.settle(moves, fact.state)
        self.titles[fact.right].apply_moves(plan)

    def _check_undone(self, fact: TitlesMoved, moves: Columns) -> None:
        """Claims are undone only as far as a withdrawal reached them."""
        if fact.state is not TitleState.WITHDRAWN:
            return
        parts = self.titles[fact.right].parts(moves["register"], moves["start"], moves["stop"])
        claimed = {name: column[parts["state"] == _CLAIMED] for name, column in parts.items()}
        undone = fact.right is Right.ATTRIBUTE and self.corrections.withdrawn.undone(claimed).all()
        if len(claimed["start"]) and not undone:
            raise Refused("titles.not_active", "Somebody uses this claimed certificate: it is not withdrawn.")

    def _withdraw_certificates(self, fact: CertificatesWithdrawn, spans: Columns) -> None:
        _expect(fact.quantity, _units(spans, ""), "quantity")
        found = self.reach(spans)
        _expect(fact.owed, int(found.owed.sum()), "owed")
        self.corrections.withdrawn.add(spans, found)
        titles = self.titles[Right.ATTRIBUTE]
        for register in np.unique(spans["register"][found.owed > 0]).tolist():
            heir = self.corrections.heir(register)
            owed = int(found.owed[spans["register"] == register].sum())
            self.corrections.debts.owe(Right.ATTRIBUTE, heir, titles.head(heir), owed)

    def _touches_lifted(self, fact: TitlesMoved, plan: MovePlan) -> bool:
        """Whether titles are lifted by a move, or moved that are."""
        lifted = TITLE_STATES.index(TitleState.LIFTED)
        if fact.state is TitleState.LIFTED:
            return True
        return bool(self.vault.lifts) and bool((self.titles[fact.right].rows(plan.handles)["state"] == lifted).any())

    def _lift_titles(self, fact: TitlesLifted, rows: Columns) -> None:
        parts = self.titles[Right.ATTRIBUTE].parts(*(np.asarray(rows[name], dtype=np.int64) for name in SPAN))
        whole = np.array_equal(parts["query"], np.arange(len(rows["start"])))  # each row lies in one title, all of it
        if not whole or any(not np.array_equal(parts[name], rows[name]) for name in SPAN):
            raise NotFound("titles.none", "A row of a lift is not part of one title.")
        if (parts["state"] != TITLE_STATES.index(TitleState.HELD)).any():
            raise Refused("titles.not_active", "A certificate that is lifted is held.")
        self.vault.lift(fact, self.size, rows, parts["holder"])

    def _return_titles(self, fact: TitlesReturned, _: Columns) -> None:
        self.vault.give_back(fact)

    def _link_spans(self, fact: SpansLinked, links: Columns) -> None:
        self.check_links(fact.link, links)
        lost = self.registers.are(RegisterKind.LOSS)[links["target"]]
        _expect(fact.quantity_in, _units(links, "source_"), "quantity_in")
        _expect(fact.quantity_out, _units(links, "target_", ~lost), "quantity_out")
        _expect(fact.loss, _units(links, "source_", lost), "loss")
        if fact.link is LinkKind.STORE:
            self.storages.take_links(links)
        self.links[fact.link].add(links)
        self.registers.raise_to(links["target"], links["target_stop"])

    def _tell_storages(self, fact: FactBody, columns: Columns) -> None:
        self.storages.apply(fact, columns)

    def _receive_collection(self, fact: CollectionReceived, _: Columns) -> None:
        register = self.registers.id_of(fact.register)
        read = int(self.registers.read[register])
        if not fact.start <= fact.stop or (read != fact.start and read < fact.stop):
            raise Refused("collection.gap", f"{fact.register} stands at {read}, not at {fact.start}.")
        self.registers.raise_to(np.array([register]), np.array([fact.stop]))

    def digest(self) -> bytes:
        """sha256 over every book: equal for equal journals."""
        digest = hashlib.sha256(self.registers.digest() + self.accounts.digest() + self.ledger.digest())
        digest.update(self.enrolled.digest() + self.corrections.digest() + self.lots.digest())
        digest.update(self.vault.digest() + self.storages.digest())
        for right in Right:
            digest.update(self.titles[right].digest())
        for kind in LinkKind:
            digest.update(self.links[kind].digest())
        return digest.digest()


def accepted_readings(readings: Columns) -> tuple[Ints, Ints]:
    """Registers and positions of the readings with verdict 0, in order of time."""
    rows = np.flatnonzero(readings["verdict"] == 0)
    rows = rows[np.argsort(readings["at_us"][rows], kind="stable")]
    return readings["register"][rows], readings["position_wh"][rows]


def _first(head: Callable[[int], int], register: int, before: Mapping[int, int]) -> int:
    """The first of a register and those it continues that has a title; -1 where none has."""
    while register >= 0 and not head(register):
        register = before.get(register, -1)
    return register


def _units(columns: Columns, side: str, rows: Ints | slice = slice(None)) -> int:
    """Units in the spans of one side; exact, as Python adds them where int64 might not hold the sum."""
    units = columns[f"{side}stop"][rows] - columns[f"{side}start"][rows]
    bound = float(np.abs(units).sum(dtype=np.float64))
    return int(units.sum()) if bound < 2.0**62 else sum(units.tolist())


def _expect(said: int, counted: int, name: str) -> None:
    if said != counted:
        raise Invalid("state.sum", f"The fact says {name} is {said}; its rows come to {counted}.")


_Effect = Callable[[Books, FactBody, Columns], None]
_EFFECTS: Final = cast(
    dict[type, _Effect],
    {
        AccountOpened: Books._open_account,
        RegisterOpened: Books._open_register,
        SiteRegistered: Books._register_site,
        DeviceEnrolled: Books._enrol_device,
        DevicesEnrolled: Books._enrol_devices,
        RegisterCorrected: Books._correct_register,
        EpochOpened: Books._open_epoch,
        ReadingsVerified: Books._verify_readings,
        TitlesIssued: Books._issue_titles,
        TitlesMoved: Books._move_titles,
        CertificatesWithdrawn: Books._withdraw_certificates,
        TitlesLifted: Books._lift_titles,
        TitlesReturned: Books._return_titles,
        SpansLinked: Books._link_spans,
        **dict.fromkeys(STORAGE_FACTS, Books._tell_storages),
        CollectionReceived: Books._receive_collection,
    },
)

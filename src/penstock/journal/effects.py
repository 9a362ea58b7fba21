"""What each kind of fact does to the books: one function a kind, which checks before it changes anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Invalid, NotFound, Refused
from penstock.journal.correction import COUNTED_RIGHTS
from penstock.journal.fact import FactBody
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
from penstock.journal.kinds.ledger import AccountOpened, RegisterOpened
from penstock.journal.kinds.lift import TitlesLifted, TitlesReturned
from penstock.journal.kinds.servicing import CallExercised, CollectionsMatched
from penstock.journal.kinds.withdrawal import CertificatesWithdrawn
from penstock.journal.refusals import refuse_first
from penstock.journal.segment import Columns
from penstock.journal.storage_book import KINDS as STORAGE_FACTS
from penstock.journal.storage_titles import backed
from penstock.journal.storage_titles import check_issue as check_storage_issue
from penstock.journal.title_rules import check_times, in_use, untimely
from penstock.journal.titles import MovePlan
from penstock.journal.vault import SPAN
from penstock.journal.words import TITLE_STATES, EpochCause, LinkKind, RegisterKind, Right, TitleState

if TYPE_CHECKING:
    from penstock.journal.state import Books

Ints = NDArray[Any]
_HELD, _LIFTED = map(TITLE_STATES.index, (TitleState.HELD, TitleState.LIFTED))


def _open_account(books: Books, fact: AccountOpened, _: Columns) -> None:
    books.accounts.open(fact)


def _open_register(books: Books, fact: RegisterOpened, _: Columns) -> None:
    books.registers.open(fact)


def _register_site(books: Books, fact: SiteRegistered, _: Columns) -> None:
    books.enrolled.register_site(fact)


def _enrol_device(books: Books, fact: DeviceEnrolled, _: Columns) -> None:
    books.enrolled.enrol_one(fact)


def _enrol_devices(books: Books, fact: DevicesEnrolled, columns: Columns) -> None:
    books.enrolled.enrol_many(fact, columns)


def _open_epoch(books: Books, fact: EpochOpened, _: Columns) -> None:
    books.enrolled.open_epoch(fact)
    register, before = books.registers.id_of(fact.register), books.registers.id_of(fact.predecessor)
    heads = {right: books.titles[right].head(before) for right in COUNTED_RIGHTS}
    head_wh = max(heads.values())
    if fact.cause in (EpochCause.CORRECTED_DOWN, EpochCause.CORRECTED_UP):
        true_wh = books.corrections.true_wh(before)
        start, stop = books.used_above(before, true_wh)
        books.corrections.check_debt(fact.debt_wh, int((stop - start).sum()))
        if books.registers.certified[before]:  # counted beyond certificates, and truly
            books.registers.raise_to(np.array([register]), np.array([max(true_wh - head_wh, 0)]))
    issued = {right: head for right, head in heads.items() if books.registers.issues(right)[before]}
    books.corrections.follow(register, before, issued, fact.debt_wh)
    books.storages.follow(register, before)


def _correct_register(books: Books, fact: RegisterCorrected, _: Columns) -> None:
    books.corrections.correct(books.registers.id_of(fact.register), fact.true_wh)


def _verify_readings(books: Books, _: ReadingsVerified, readings: Columns) -> None:
    books.registers.advance(*_accepted(readings))


def _issue_titles(books: Books, fact: TitlesIssued, issue: Columns) -> None:
    _expect(fact.quantity, _units(issue, ""), "quantity")
    books.check_issue(fact.right, issue)
    check_storage_issue(books.storages, fact, issue)
    check_times(books, fact, issue)
    lot = books.lots.add(books.size, fact)
    books.titles[fact.right].issue(issue, books.issue_limit(), len(books.accounts), lot)
    if fact.stored and fact.right is Right.ATTRIBUTE:
        _postpone_debts(books, issue)


def _postpone_debts(books: Books, issue: Columns) -> None:
    """What a storage gives without certificates behind it is withdrawn, and covers no debt."""
    for register in np.unique(issue["register"]).tolist():
        rows = {name: column[issue["register"] == register] for name, column in issue.items()}
        if books.corrections.debts.of(Right.ATTRIBUTE, register):
            told = zip(
                rows["start"].tolist(), rows["stop"].tolist(), backed(books.storages, register, rows), strict=True
            )
            books.corrections.debts.postpone(Right.ATTRIBUTE, register, told)


def _move_titles(books: Books, fact: TitlesMoved, moves: Columns) -> None:
    _expect(fact.quantity, _units(moves, ""), "quantity")
    if (moves["state"] != TITLE_STATES.index(fact.state)).any():
        raise Invalid("titles.state", f"A fact that moves titles into {fact.state} moves all of them there.")
    plan = books.titles[fact.right].plan_moves(moves, len(books.accounts))
    refuse_first(untimely(books, fact.right, moves, plan, books.at_us), moves)
    refuse_first(plan.verdicts, moves)
    if in_use(books, fact.right, moves).any():
        raise Refused("titles.not_active", "Somebody uses this claimed certificate: it is not withdrawn.")
    if _touches_lifted(books, fact, plan):
        books.vault.settle(moves, fact.state)
    books.titles[fact.right].apply_moves(plan)


def _withdraw_certificates(books: Books, fact: CertificatesWithdrawn, spans: Columns) -> None:
    _expect(fact.quantity, _units(spans, ""), "quantity")
    found = books.reach(spans)
    _expect(fact.owed, int(found.owed.sum()), "owed")
    books.corrections.withdrawn.add(spans, found)
    titles = books.titles[Right.ATTRIBUTE]
    for register in np.unique(spans["register"][found.owed > 0]).tolist():
        heir = books.corrections.heir(register)
        owed = int(found.owed[spans["register"] == register].sum())
        books.corrections.debts.owe(Right.ATTRIBUTE, heir, titles.head(heir), owed)


def _touches_lifted(books: Books, fact: TitlesMoved, plan: MovePlan) -> bool:
    """Whether titles are lifted by a move, or moved that are; or others, where the vault waits for its move."""
    if fact.state is TitleState.LIFTED or (books.vault.expected is not None and fact.right is Right.ATTRIBUTE):
        return True
    return bool(books.vault.lifts) and bool((books.titles[fact.right].take("state", plan.handles) == _LIFTED).any())


def _lift_titles(books: Books, fact: TitlesLifted, rows: Columns) -> None:
    parts = books.titles[Right.ATTRIBUTE].parts(*(np.asarray(rows[name], dtype=np.int64) for name in SPAN))
    whole = np.array_equal(parts["query"], np.arange(len(rows["start"])))  # each row lies in one title, all of it
    if not whole or any(not np.array_equal(parts[name], rows[name]) for name in SPAN):
        raise NotFound("titles.none", "A row of a lift is not part of one title.")
    if (parts["state"] != _HELD).any():
        raise Refused("titles.not_active", "A certificate that is lifted is held.")
    books.vault.lift(fact, books.size, rows, parts["holder"], books.at_us)


def _return_titles(books: Books, fact: TitlesReturned, _: Columns) -> None:
    books.vault.give_back(fact)


def _link_spans(books: Books, fact: SpansLinked, links: Columns) -> None:
    books.check_links(fact.link, links)
    lost = books.registers.are(RegisterKind.LOSS)[links["target"]]
    _expect(fact.quantity_in, _units(links, "source_"), "quantity_in")
    _expect(fact.quantity_out, _units(links, "target_", ~lost), "quantity_out")
    _expect(fact.loss, _units(links, "source_", lost), "loss")
    if fact.link is LinkKind.STORE:
        books.storages.take_links(links)
    books.links[fact.link].add(links)
    books.registers.raise_to(links["target"], links["target_stop"])


def _tell_storages(books: Books, fact: FactBody, columns: Columns) -> None:
    books.storages.apply(fact, columns)


def _receive_collection(books: Books, fact: CollectionReceived, _: Columns) -> None:
    register = books.registers.id_of(fact.register)
    read = int(books.registers.read[register])
    if not fact.start <= fact.stop or (read != fact.start and read < fact.stop):
        raise Refused("collection.gap", f"{fact.register} stands at {read}, not at {fact.start}.")
    books.registers.raise_to(np.array([register]), np.array([fact.stop]))


def _take_in(books: Books, fact: CollectionsMatched | CallExercised, _: Columns) -> None:
    """Dollars from outside fill the register of the account they reach, so that a close has units to pay on."""
    for one in fact.transfers:
        if one.target in books.registers:
            register = books.registers.id_of(one.target)
            reached = int(books.registers.read[register]) + one.usdc_micro
            books.registers.raise_to(np.array([register]), np.array([reached]))


def _accepted(readings: Columns) -> tuple[Ints, Ints]:
    """Registers and positions of the readings with verdict 0, in order of time."""
    rows = np.flatnonzero(readings["verdict"] == 0)
    rows = rows[np.argsort(readings["at_us"][rows], kind="stable")]
    return readings["register"][rows], readings["position_wh"][rows]


def _units(columns: Columns, side: str, rows: Ints | slice = slice(None)) -> int:
    """Units in the spans of one side; exact, as Python adds them where int64 might not hold the sum."""
    units = columns[f"{side}stop"][rows] - columns[f"{side}start"][rows]
    bound = float(np.abs(units).sum(dtype=np.float64))
    return int(units.sum()) if bound < 2.0**62 else sum(units.tolist())


def _expect(said: int, counted: int, name: str) -> None:
    if said != counted:
        raise Invalid("state.sum", f"The fact says {name} is {said}; its rows come to {counted}.")


Effect = Callable[["Books", FactBody, Columns], None]
EFFECTS: Final = cast(
    dict[type, Effect],
    {
        AccountOpened: _open_account,
        RegisterOpened: _open_register,
        SiteRegistered: _register_site,
        DeviceEnrolled: _enrol_device,
        DevicesEnrolled: _enrol_devices,
        RegisterCorrected: _correct_register,
        EpochOpened: _open_epoch,
        ReadingsVerified: _verify_readings,
        TitlesIssued: _issue_titles,
        TitlesMoved: _move_titles,
        CertificatesWithdrawn: _withdraw_certificates,
        TitlesLifted: _lift_titles,
        TitlesReturned: _return_titles,
        SpansLinked: _link_spans,
        **dict.fromkeys(STORAGE_FACTS, _tell_storages),
        CollectionReceived: _receive_collection,
        CollectionsMatched: _take_in,
        CallExercised: _take_in,
    },
)
"""By the type of a fact; facts of other types change no book here."""

"""The five laws of the books, as checks from books to findings: properties in tests, an audit of a live system.

Each check looks at the columns themselves, not at how they came about, and returns all it finds. What the books
keep to answer quickly - heads, running balances - is compared with a count from nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.journal import link_rules
from penstock.journal.carbon_laws import avoided_hold
from penstock.journal.claim_rules import claims_hold
from penstock.journal.correction import COUNTED_RIGHTS
from penstock.journal.finding import Finding, finding
from penstock.journal.links import SIDES, overlapping
from penstock.journal.promise_laws import promises_hold
from penstock.journal.span_index import Rows
from penstock.journal.state import Books
from penstock.journal.storage_laws import storages_conserve, storages_within_charge
from penstock.journal.vault import SPAN, joined
from penstock.journal.words import TITLE_STATES, LinkKind, RegisterKind, Right, TitleState

Found = Iterator[Finding]


def law_1_titles_tile(books: Books) -> tuple[Finding, ...]:
    """In each right's book titles never overlap and cover exactly what was issued, on registers that issue it."""
    return tuple(chain.from_iterable(_tiling(books, right) for right in Right))


def _tiling(books: Books, right: Right) -> Found:
    titles, registers = books.titles[right].columns(), len(books.registers)
    register, start, stop = titles["register"], titles["start"], titles["stop"]
    first = np.append(True, np.diff(register) != 0)[: len(register)]
    expected = np.where(first, 0, np.roll(stop, 1))
    yield from _rows(1, "law1.gap", f"Titles to {right} leave a gap.", titles, start > expected)
    yield from _rows(1, "law1.overlap", f"Titles to {right} overlap.", titles, start < expected)
    covered = np.zeros(registers, dtype=np.int64)
    inside = (register >= 0) & (register < registers)
    np.maximum.at(covered, register[inside], stop[inside])
    heads = books.titles[right].heads(registers)
    for number in np.flatnonzero(covered != heads).tolist():
        sentence = f"Titles to {right} reach {covered[number]}, where {heads[number]} was issued."
        yield finding(1, "law1.head", sentence, register=_urn(books, number), right=right)
    elsewhere = ~inside
    elsewhere[inside] = ~books.registers.issues(right)[register[inside]]
    yield from _rows(1, "law1.not_issued_here", f"The register does not issue {right}.", titles, elsewhere)


def law_2_sold_once(books: Books) -> tuple[Finding, ...]:
    """A right in a unit has one holder; within a kind of link a unit is linked once on each side; what is on chain is
    not here; what supplied something is claimed for it;
    what became a carbon credit is retired for it; what a promise was filled with ends it."""
    parts = (
        _titled_twice(books),
        _linked_twice(books),
        _lifted_twice(books),
        claims_hold(books),
        avoided_hold(books),
        promises_hold(books),
    )
    return tuple(chain.from_iterable(parts))


def _titled_twice(books: Books) -> Found:
    for right, book in books.titles.items():
        titles = book.columns()
        twice = overlapping(titles["register"], titles["start"], titles["stop"])
        yield from _rows(2, "law2.sold_twice", f"A unit has two titles to {right}.", titles, twice)


def _linked_twice(books: Books) -> Found:
    for kind, book in books.links.items():
        links = book.columns()
        for side in SIDES:
            twice = overlapping(links[side], links[f"{side}_start"], links[f"{side}_stop"])
            sentence = f"A unit is the {side} of two links of {kind}."
            yield from _links(2, f"law2.{side}_twice", sentence, links, twice, kind)


def _lifted_twice(books: Books) -> Found:
    """The vault holds the units of lifted titles, each once, and nothing else; no move of it is due."""
    titles, vault = books.titles[Right.ATTRIBUTE].columns(), books.vault.spans()
    lifted = titles["state"] == TITLE_STATES.index(TitleState.LIFTED)
    here = joined({name: titles[name][lifted] for name in SPAN})
    same = not overlapping(*vault.values()).any() and all(np.array_equal(joined(vault)[one], here[one]) for one in SPAN)
    if not same or books.vault.expected is not None:
        there = int(np.sum(vault["stop"] - vault["start"]))
        sentence = f"{int(np.sum(here['stop'] - here['start']))} Wh are lifted here, {there} Wh are in the vault."
        yield finding(2, "law2.vault", sentence)


def law_3_links_conserve(books: Books) -> tuple[Finding, ...]:
    """What links carry in equals what they carry out plus stated loss; unlike units are cut without a gap."""
    kinds = chain.from_iterable(_conserved(books, kind) for kind in books.links)
    return (*kinds, *storages_conserve(books))


def _conserved(books: Books, kind: LinkKind) -> Found:
    links, batches = books.links[kind].columns(), books.links[kind].batches
    known = _known(books, links)
    yield from _links(3, "law3.register", "A link names no register.", links, ~known, kind)
    for low, high in pairwise([*batches.tolist(), len(known)]):
        rows = np.flatnonzero(known[low:high]) + low
        batch = {name: column[rows] for name, column in links.items()}
        for breach in link_rules.breaches_of_batch(kind, batch, books.registers):
            code = breach.code.replace("links.", "law3.")
            yield from _links(3, code, breach.sentence, links, rows[breach.rows], kind)


def law_4_nothing_negative(books: Books) -> tuple[Finding, ...]:
    """Nothing owned is negative; nothing is issued or linked beyond what a counted register counted, or truly did."""
    parts = (
        _spans_run_up(books),
        _within_meter(books),
        corrections_hold(books),
        _balances_true(books),
        _money_held(books),
        storages_within_charge(books),
    )
    return tuple(chain.from_iterable(parts))


def _spans_run_up(books: Books) -> Found:
    for right, book in books.titles.items():
        titles = book.columns()
        bad = (titles["start"] < 0) | (titles["stop"] <= titles["start"]) | (titles["state"] >= len(TITLE_STATES))
        bad |= (titles["holder"] < 0) | (titles["holder"] >= len(books.accounts))
        yield from _rows(4, "law4.title", f"A title to {right} is empty, negative or nobody's.", titles, bad)
    for kind, links_book in books.links.items():
        links = links_book.columns()
        bad = np.zeros(len(links_book), dtype=bool)
        for side in SIDES:
            bad |= (links[f"{side}_start"] < 0) | (links[f"{side}_stop"] < links[f"{side}_start"])
        yield from _links(4, "law4.link", "A link's span is negative.", links, bad, kind)


def _within_meter(books: Books) -> Found:
    read, counted = books.registers.read, books.registers.are(RegisterKind.COUNTED)
    for number in np.flatnonzero(read < 0).tolist():
        yield finding(4, "law4.read", f"A register stands at {read[number]}.", register=_urn(books, number))
    for right, book in books.titles.items():
        heads = book.heads(len(read))
        for number in np.flatnonzero(counted & (heads > read)).tolist():
            sentence = f"{right} was issued up to {heads[number]}, where {read[number]} was counted."
            yield finding(4, "law4.beyond_meter", sentence, register=_urn(books, number), right=right)
    for kind, links_book in books.links.items():
        links = links_book.columns()
        rows = np.flatnonzero(_known(books, links))
        known = {name: column[rows] for name, column in links.items()}
        breach = link_rules.beyond_meter(kind, known, books.registers)
        yield from _links(4, "law4.link_beyond_meter", breach.sentence, links, rows[breach.rows], kind)


def corrections_hold(books: Books) -> Found:
    """Above its true position a register has no more titles than are owed; what covers a debt is withdrawn."""
    for right in COUNTED_RIGHTS:
        for number, true_wh, debt_wh in books.corrections.corrected():
            standing = _not_withdrawn(books, right, number, true_wh, books.titles[right].head(number))
            if standing > debt_wh:
                sentence = f"{standing} Wh of {right} stand above the true position, where {debt_wh} are owed."
                yield finding(4, "law4.above_true", sentence, register=_urn(books, number), right=right)
    for right, number, start, stop in books.corrections.debts:
        standing = _not_withdrawn(books, right, number, start, stop)
        if standing:
            sentence = f"{standing} Wh of {right} were issued where they cover a debt."
            yield finding(4, "law4.debt_uncovered", sentence, register=_urn(books, number), right=right)
    yield from _withdrawals_hold(books)


def _withdrawals_hold(books: Books) -> Found:
    """Of what issuers withdrew no more stands than is owed."""
    spans = books.corrections.withdrawn.spans.columns()
    titles = books.titles[Right.ATTRIBUTE].parts(spans["register"], spans["start"], spans["stop"])
    stands = titles["state"] != TITLE_STATES.index(TitleState.WITHDRAWN)
    standing = np.zeros(len(spans["start"]), dtype=np.int64)
    np.add.at(standing, titles["query"][stands], (titles["stop"] - titles["start"])[stands])
    sentence = "More stands of what was withdrawn than is owed."
    yield from _rows(4, "law4.withdrawn_stands", sentence, spans, standing > spans["owed"])


def _not_withdrawn(books: Books, right: Right, register: int, start: int, stop: int) -> int:
    """Units of ``[start, stop)`` with a title in another state."""
    titles = books.titles[right].within(register, start, stop)
    stands = titles["state"] != TITLE_STATES.index(TitleState.WITHDRAWN)
    low, high = np.maximum(titles["start"][stands], start), np.minimum(titles["stop"][stands], stop)
    return int((high - low).sum())


def _balances_true(books: Books) -> Found:
    for right, book in books.titles.items():
        titles, kept = book.columns(), book.balances(len(books.accounts))
        sound = (titles["holder"] >= 0) & (titles["holder"] < len(kept)) & (titles["state"] < len(TITLE_STATES))
        counted = np.zeros_like(kept)
        units = titles["stop"] - titles["start"]
        np.add.at(counted, (titles["holder"][sound], titles["state"][sound]), units[sound])
        for holder, state in np.argwhere((kept != counted) | (kept < 0)).tolist():
            sentence = f"A balance of {kept[holder, state]} stands for {counted[holder, state]} units."
            ids = {"account": books.accounts.name(holder), "right": right, "state": TITLE_STATES[state]}
            yield finding(4, "law4.balance", sentence, **ids)


def _money_held(books: Books) -> Found:
    for account, balance in books.ledger.balances().items():
        if balance < 0 and not books.accounts.is_external(account):
            name = books.accounts.name(account)
            yield finding(4, "law4.overdrawn", f"{name} holds {balance} micro-dollars.", account=name)


def law_5_money_adds_up(books: Books) -> tuple[Finding, ...]:
    """Money in equals money out plus what the accounts hold, to the micro-dollar."""
    return tuple(_money(books))


def _money(books: Books) -> Found:
    ledger, balances = books.ledger, books.ledger.balances()
    held = sum(balance for account, balance in balances.items() if not books.accounts.is_external(account))
    if ledger.paid_in != ledger.paid_out + held:
        sentence = f"{ledger.paid_in} came in, {ledger.paid_out} went out and {held} is held."
        yield finding(5, "law5.in_out_held", sentence)
    if sum(balances.values()) != 0:
        yield finding(5, "law5.unbalanced", f"All balances sum to {sum(balances.values())}, not to 0.")


LAWS: Final[dict[int, Callable[[Books], tuple[Finding, ...]]]] = {
    1: law_1_titles_tile,
    2: law_2_sold_once,
    3: law_3_links_conserve,
    4: law_4_nothing_negative,
    5: law_5_money_adds_up,
}


def breaches(books: Books) -> tuple[Finding, ...]:
    """All findings of all five laws; none on sound books."""
    return tuple(chain.from_iterable(law(books) for law in LAWS.values()))


def _known(books: Books, links: Rows) -> NDArray[np.bool_]:
    """Links whose registers both exist."""
    count = len(books.registers)
    known: NDArray[np.bool_] = (np.minimum(links["source"], links["target"]) >= 0) & (
        np.maximum(links["source"], links["target"]) < count
    )
    return known


def _rows(law: int, code: str, sentence: str, titles: Rows, bad: NDArray[np.bool_]) -> Found:
    for row in np.flatnonzero(bad).tolist():
        yield finding(law, code, sentence, **{name: titles[name][row] for name in ("register", "start", "stop")})


def _links(law: int, code: str, sentence: str, links: Rows, bad: NDArray[Any], kind: str) -> Found:
    rows = np.flatnonzero(bad) if bad.dtype == bool else bad
    for row in rows.tolist():
        yield finding(law, code, sentence, kind=kind, row=row, **{name: links[name][row] for name in links})


def _urn(books: Books, number: int) -> str:
    return books.registers.urn(number)

"""Laws 3 and 4 over storages: charge is discharge and loss, no output above input, no certificate without origin."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from penstock.journal.finding import Finding, finding
from penstock.journal.state import Books
from penstock.journal.storage_book import NONE, Storage
from penstock.journal.words import Direction, LinkKind

Found = Iterator[Finding]


def storages_conserve(books: Books) -> Found:
    """Law 3: links of *store* carry each storage's drawn charge into what it discharged and lost, to the unit."""
    links = books.links[LinkKind.STORE].columns()
    source, target = (books.storages.storage_of(links[side]) for side in ("source", "target"))
    size = links["source_stop"] - links["source_start"]
    for one in books.storages.all:
        lost = links["target"] == one.loss
        found = tuple(
            int(size[rows].sum())
            for rows in (source == one.number, (target == one.number) & ~lost, (target == one.number) & lost)
        )
        expected = (one.standing.drawn, one.standing.given, one.standing.lost)
        if found != expected:
            sentence = f"Links carry {found} Wh in, out and lost, where records say {expected}."
            yield finding(3, "law3.storage", sentence, storage=one.fact.storage)
        if sum(expected[1:]) != expected[0]:
            sentence = f"{expected[0]} Wh of charge became {expected[1]} and {expected[2]} lost."
            yield finding(3, "law3.storage_loss", sentence, storage=one.fact.storage)


def storages_within_charge(books: Books) -> Found:
    """Law 4: nothing discharged beyond efficiency times charge, no certificate beyond what links of *store* filled."""
    for one in books.storages.all:
        yield from _output(books, one)
        yield from _supplied(books, one)
    for register in np.flatnonzero(books.storages.gives(len(books.registers))).tolist():
        filled = books.links[LinkKind.STORE].filled(register)
        for right, book in books.titles.items():
            if book.head(register) > filled:
                sentence = f"{right} was issued up to {book.head(register)}, where charge fills {filled}."
                yield finding(4, "law4.storage_issued", sentence, register=books.registers.urn(register), right=right)


def _output(books: Books, one: Storage) -> Found:
    now, charged = one.standing, books.storages.records(one, Direction.CHARGE)
    whole = int(np.sum(charged["stop"] - charged["start"]))
    rate = one.efficiencies[one.drawn_from] if one.drawn_from != NONE else None
    above = rate and (now.given - now.base_out) * rate.den > (now.drawn - now.base_in) * rate.num
    if above or now.drawn > whole:
        sentence = f"{now.given} Wh were discharged of {now.drawn} drawn and {whole} charged."
        yield finding(4, "law4.storage_output", sentence, storage=one.fact.storage)


def _supplied(books: Books, one: Storage) -> Found:
    charged = books.storages.records(one, Direction.CHARGE)
    certified = charged["lot"] != NONE
    spans = (charged[name][certified] for name in ("register", "start", "stop"))
    pieces = books.links[LinkKind.CLAIM].backward(*spans)
    claimed = int(np.sum(pieces.target_stop - pieces.target_start))
    wanted = int(np.sum((charged["stop"] - charged["start"])[certified]))
    if claimed != wanted:
        sentence = f"{claimed} Wh of certificates are claimed for charge records of {wanted} Wh."
        yield finding(4, "law4.storage_supplied", sentence, storage=one.fact.storage)

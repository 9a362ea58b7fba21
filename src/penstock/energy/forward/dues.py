"""Which facts follow a forward's, by the columns that they must have: titles issued, links, moves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from penstock.energy.forward.delivery import Delivery, rights_of
from penstock.energy.forward.promise import Promise, Sale
from penstock.errors import Refused
from penstock.journal.fact import FactBody
from penstock.journal.kinds.energy import SpansLinked, TitlesIssued, TitlesMoved
from penstock.journal.segment import Column, Columns
from penstock.journal.words import TITLE_STATES, LinkKind, Right, TitleState


@dataclass(frozen=True, slots=True, eq=False)
class Due:
    """A fact that has to come next: titles to a right issued or moved, or links of a kind; and its columns."""

    about: Right | LinkKind
    columns: Columns

    def check(self, fact: FactBody, columns: Columns) -> None:
        """That a fact is the one that is due; raises Refused ``forward.incomplete``."""
        about: Right | LinkKind | None = None
        if isinstance(fact, TitlesIssued | TitlesMoved):
            about = fact.right
        elif isinstance(fact, SpansLinked):
            about = fact.link
        same = all(name in columns and np.array_equal(columns[name], self.columns[name]) for name in self.columns)
        if about is not self.about or not same:
            raise Refused("forward.incomplete", "A forward's facts come one right after the other.")


def promised_title(promise: Promise, sale: Sale, buyer: int) -> dict[str, Column]:
    """Columns of ``title/1`` for what a sale promises; ``buyer`` is its account's number."""
    return {
        "register": np.array([promise.register], dtype=np.int32),
        "start": np.array([sale.start], dtype=np.int64),
        "stop": np.array([sale.stop], dtype=np.int64),
        "holder": np.array([buyer], dtype=np.int32),
        "interval_us": np.array([promise.offered.start_us], dtype=np.int64),
    }


def dues_of_delivery(promise: Promise, made: Delivery) -> list[Due]:
    """The facts of a delivery, in order: links, certificates, energy, promises."""
    spans = made.spans
    length = spans["stop"] - spans["start"]
    promised = {"start": spans["promised_start"], "stop": spans["promised_start"] + length}
    links = {
        "source": spans["register"],
        "source_start": spans["start"],
        "source_stop": spans["stop"],
        "target": np.full(len(length), promise.register, dtype=np.int32),
        "target_start": promised["start"],
        "target_stop": promised["stop"],
    }
    moves = {name: spans[name] for name in ("register", "start", "stop")}
    moves |= {"source": np.full(len(length), promise.seller, dtype=np.int32), "target": spans["holder"]}
    moves["state"] = np.full(len(length), TITLE_STATES.index(TitleState.HELD), dtype=np.uint8)
    ended = ended_moves(promise, {**promised, "holder": spans["holder"]})
    return [Due(LinkKind.DELIVER, links), *(Due(right, moves) for right in rights_of(promise)), Due(Right.USE, ended)]


def ended_moves(promise: Promise, spans: Columns) -> dict[str, Column]:
    """Columns of ``move/1`` that use up titles to a promise (start, stop, holder)."""
    count = len(spans["start"])
    return {
        "register": np.full(count, promise.register, dtype=np.int32),
        "start": spans["start"],
        "stop": spans["stop"],
        "source": spans["holder"],
        "target": spans["holder"],
        "state": np.full(count, TITLE_STATES.index(TitleState.RETIRED), dtype=np.uint8),
    }

"""The vault: first in, first out for each id; nothing moves but what it says."""

from __future__ import annotations

from collections import deque

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import PenstockError
from penstock.journal.formats import LIFTS
from penstock.journal.kinds.lift import ReturnCause, TitlesLifted, TitlesReturned
from penstock.journal.segment import Segment
from penstock.journal.vault import SPAN, Vault, joined
from penstock.journal.words import TitleState

HOLDER = bytes(20)


def batch(
    certificate: bytes, *spans: tuple[int, int, int], quantity: int | None = None
) -> tuple[TitlesLifted, Segment]:
    holder = np.empty(len(spans), dtype=object)
    holder[:] = [HOLDER] * len(spans)
    columns = {name: np.array([span[at] for span in spans], dtype=np.int64) for at, name in enumerate(SPAN)}
    columns["register"] = columns["register"].astype(np.int32)
    segment = Segment(LIFTS, {**columns, "holder": holder})
    units = sum(stop - start for _, start, stop in spans)
    return TitlesLifted(certificate, 9, units if quantity is None else quantity, segment.ref()), segment


def lifted(vault: Vault, seq: int, certificate: bytes, *spans: tuple[int, int, int]) -> None:
    fact, segment = batch(certificate, *spans)
    vault.lift(fact, seq, segment.columns, np.arange(len(spans), dtype=np.int32), at_us=seq)
    vault.settle(segment.columns, TitleState.LIFTED)


def burn(certificate: bytes, quantity: int, number: int, cause: ReturnCause = ReturnCause.LOWERED) -> TitlesReturned:
    return TitlesReturned(cause, certificate, quantity, number, HOLDER, "a", -1, "", "", -1, b"")


def lapse(certificate: bytes, quantity: int, of: int, bits: bytes) -> TitlesReturned:
    return TitlesReturned(ReturnCause.LAPSED, certificate, quantity, -1, b"", "", -1, "", "", of, bits)


def came_back(vault: Vault, fact: TitlesReturned, state: TitleState = TitleState.HELD) -> list[tuple[int, int, int]]:
    spans = vault.returning(fact)
    vault.give_back(fact)
    vault.settle(spans, state)
    return list(zip(*(spans[name].tolist() for name in SPAN), strict=True))


def test_the_head_comes_back_and_the_tail_lapses() -> None:
    vault = Vault()
    lifted(vault, 3, b"one", (0, 0, 10), (1, 5, 9))
    lifted(vault, 5, b"two", (0, 10, 20))
    lifted(vault, 7, b"one", (0, 20, 26), (2, 0, 4))
    assert came_back(vault, burn(b"one", 12, 0)) == [(0, 0, 10), (1, 5, 7)]
    assert came_back(vault, burn(b"two", 10, 1, ReturnCause.RETIRED), TitleState.RETIRED) == [(0, 10, 20)]
    assert came_back(vault, lapse(b"one", 4, 7, b"\x40")) == [(2, 0, 4)]
    assert (vault.wh(b"one"), vault.wh(b"two"), vault.wh(b"three")) == (8, 0, 0)
    assert came_back(vault, burn(b"one", 8, 2)) == [(1, 7, 9), (0, 20, 26)]


@pytest.mark.parametrize(
    ("fact", "code"),
    [
        (burn(b"one", 1, 1), "vault.order"),
        (burn(b"one", 11, 0), "vault.short"),
        (burn(b"one", 0, 0), "vault.short"),
        (burn(b"one", -1, 0), "vault.short"),
        (burn(b"two", 1, 0), "vault.short"),
        (lapse(b"one", 10, 4, b"\x80"), "vault.no_batch"),
        (lapse(b"one", 9, 3, b"\x80"), "vault.lapse"),
        (lapse(b"two", 10, 3, b"\x80"), "vault.lapse"),
        (lapse(b"one", 10, 3, b"\xc0"), "vault.lapse"),
        (lapse(b"one", 10, 3, b"\x80\x00"), "vault.lapse"),
    ],
)
def test_what_may_not_come_back(fact: TitlesReturned, code: str) -> None:
    vault = Vault()
    lifted(vault, 3, b"one", (0, 0, 10))
    before = vault.digest()
    with pytest.raises(PenstockError) as refused:
        vault.give_back(fact)
    assert refused.value.code == code
    assert vault.digest() == before


def test_a_batch_lapses_once() -> None:
    vault = Vault()
    lifted(vault, 3, b"one", (0, 0, 10))
    lifted(vault, 4, b"one", (0, 10, 20))
    came_back(vault, lapse(b"one", 10, 3, b"\x80"))
    with pytest.raises(PenstockError, match="lapses once"):
        vault.give_back(lapse(b"one", 10, 3, b"\x80"))


@pytest.mark.parametrize(
    ("spans", "quantity", "code"),
    [
        ([(0, 0, 10)], 9, "vault.sum"),
        ([(0, 5, 5)], 0, "vault.sum"),
        ([(0, 9, 3), (0, 0, 16)], 10, "vault.sum"),
        ([(0, 0, 10), (0, 9, 12)], 13, "vault.twice"),
    ],
)
def test_a_malformed_batch(spans: list[tuple[int, int, int]], quantity: int, code: str) -> None:
    fact, segment = batch(b"one", *spans, quantity=quantity)
    with pytest.raises(PenstockError) as refused:
        Vault().lift(fact, 1, segment.columns, np.zeros(len(spans), dtype=np.int32), 1)
    assert refused.value.code == code


def test_the_same_batch_leaves_once_at_an_instant() -> None:
    """The chain tells batches apart by what their facts say: the second could never be minted, nor lapse."""
    vault = Vault()
    lifted(vault, 3, b"one", (0, 0, 10))
    came_back(vault, burn(b"one", 10, 0))
    fact, segment = batch(b"one", (0, 0, 10))
    with pytest.raises(PenstockError) as refused:
        vault.check_lift(fact, segment.columns, 3)
    assert refused.value.code == "vault.same_batch"
    lifted(vault, 4, b"one", (0, 0, 10))


def test_only_the_move_that_is_due() -> None:
    vault = Vault()
    fact, segment = batch(b"one", (0, 0, 10))
    vault.lift(fact, 1, segment.columns, np.zeros(1, dtype=np.int32), 1)
    for moves, state in ((batch(b"", (0, 0, 9))[1], TitleState.LIFTED), (segment, TitleState.RETIRED)):
        with pytest.raises(PenstockError) as refused:
            vault.settle(moves.columns, state)
        assert refused.value.code == "vault.other_move"
    with pytest.raises(PenstockError) as unmoved:
        vault.lift(*(fact, 2, segment.columns, np.zeros(1, dtype=np.int32), 2))
    assert unmoved.value.code == "vault.unmoved"
    vault.settle(batch(b"", (0, 4, 10), (0, 0, 4))[1].columns, TitleState.LIFTED)


STEPS = st.lists(st.tuples(st.sampled_from([b"one", b"two"]), st.booleans(), st.integers(1, 12)), max_size=40)


@given(STEPS)
def test_it_is_a_queue_for_each_id(steps: list[tuple[bytes, bool, int]]) -> None:
    vault, model = Vault(), {b"one": deque[int](), b"two": deque[int]()}
    at = number = 0
    for seq, (certificate, up, units) in enumerate(steps):
        if up:
            lifted(vault, seq, certificate, (0, at, at + units))
            model[certificate].extend(range(at, at + units))
            at += units
        elif len(model[certificate]) >= units:
            spans = came_back(vault, burn(certificate, units, number))
            number += 1
            assert [wh for _, start, stop in spans for wh in range(start, stop)] == [
                model[certificate].popleft() for _ in range(units)
            ]
    left = sorted(wh for queue in model.values() for wh in queue)
    rest = joined(vault.spans())
    assert [wh for start, stop in zip(rest["start"], rest["stop"], strict=True) for wh in range(start, stop)] == left

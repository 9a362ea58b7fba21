"""Rows erased, one after the other: the root never changes, and every row that is left goes on proving itself."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import Corrupt, Invalid, NotFound
from penstock.journal.formats import FORMATS, SALTED, VERDICTS
from penstock.journal.pruned_tree import PrunedTree
from penstock.journal.sealed_rows import ERASED, SealedRows, blank_columns
from penstock.journal.segment import Column, Salting, Segment, SegmentFormat, leaves_of, packed_row, salts_of
from penstock.journal.tree import leaf_hash, root_of, verify_inclusion
from penstock.journal.tree_kernel import Bytes2D

READINGS = FORMATS["reading/2+salt"]


def columns_of(fmt: SegmentFormat, rows: int, dice: np.random.Generator) -> dict[str, Column]:
    columns: dict[str, Column] = {
        name: dice.integers(0, 100, rows).astype(np.dtype(dtype)) for name, dtype in fmt.fixed
    }
    if fmt.blob:
        columns[fmt.blob] = np.empty(rows, dtype=object)
        columns[fmt.blob][:] = [dice.bytes(int(size)) for size in dice.integers(0, 90, rows)]
    return columns


def seeds_of(rows: int, dice: np.random.Generator) -> Bytes2D:
    return dice.integers(0, 256, (rows, 32), dtype=np.uint8)


def sealed(fmt: SegmentFormat, rows: int, seed: int = 1) -> tuple[SealedRows, Segment]:
    dice = np.random.Generator(np.random.PCG64(seed))
    columns, seeds = columns_of(fmt, rows, dice), seeds_of(rows, dice)
    segment = Segment(fmt, columns, Salting(seeds) if fmt.salted else None)
    return SealedRows(fmt, columns, salts_of(fmt, columns, seeds) if fmt.salted else None), segment


@pytest.mark.parametrize("rows", [0, 1, 2, 3, 8, 13])
@pytest.mark.parametrize("fmt", SALTED, ids=lambda fmt: fmt.name)
def test_a_salted_root_is_that_of_salted_rows_by_the_book(fmt: SegmentFormat, rows: int) -> None:
    found, segment = sealed(fmt, rows)
    assert segment.salting is not None and found.salts is not None
    leaves = []
    for index in range(rows):
        row = packed_row(fmt, found.columns, index)
        seed = segment.salting.seeds[index].tobytes()
        salt = hashlib.sha256(b"\x02" + seed + hashlib.sha256(b"\x00" + row).digest()).digest()
        assert found.salts[index].tobytes() == salt
        leaves.append(hashlib.sha256(b"\x00" + salt + row).digest())
    assert segment.ref().root == root_of(leaves) == found.tree().root()
    assert segment.ref().format == fmt.name
    found.check(segment.ref())


def test_a_salted_format_wants_a_seed_for_each_row_and_no_other_does() -> None:
    found, segment = sealed(READINGS, 3)
    seeds = seeds_of(2, np.random.Generator(np.random.PCG64(5)))
    for fmt, salting in ((READINGS, None), (READINGS, Salting(seeds)), (VERDICTS, segment.salting)):
        with pytest.raises(Invalid) as caught:
            Segment(fmt, found.columns, salting).ref()
        assert caught.value.code == "segment.salting"


def test_the_same_rows_under_another_seed_have_another_root() -> None:
    found, segment = sealed(READINGS, 3)
    other = Salting(seeds_of(3, np.random.Generator(np.random.PCG64(9))))
    assert Segment(READINGS, found.columns, other).ref().root != segment.ref().root


@settings(deadline=None, max_examples=60)
@given(
    rows=st.integers(1, 70),
    fmt=st.sampled_from([*SALTED, VERDICTS]),
    cuts=st.lists(st.lists(st.integers(0, 69)), min_size=1, max_size=3),
    seed=st.integers(0, 99),
)
def test_whatever_is_erased_the_rest_is_proved(rows: int, fmt: SegmentFormat, cuts: list[list[int]], seed: int) -> None:
    whole, segment = sealed(fmt, rows, seed)
    ref, left, gone = segment.ref(), whole, np.zeros(rows, dtype=np.bool_)
    for cut in cuts:
        mask = np.zeros(rows, dtype=np.bool_)
        mask[[at for at in cut if at < rows]] = True
        left, gone = left.without(mask), gone | mask
        left.check(ref)
        assert left.tree().root() == ref.root
        for index in range(rows):
            if gone[index]:
                with pytest.raises(NotFound):
                    left.prove(index)
                assert left.columns["verdict"][index] == ERASED
                continue
            row, salt, proof = left.prove(index)
            assert (row, salt, proof) == whole.prove(index)
            verify_inclusion(leaf_hash(salt + row), index, rows, proof, ref.root)


def test_nothing_of_an_erased_row_is_left_but_its_hashes() -> None:
    whole, _ = sealed(READINGS, 9)
    mask = np.arange(9) == 4
    left = whole.without(mask)
    blank = blank_columns(READINGS, 1)
    assert all(left.columns[name][4] == blank[name][0] for name in left.columns)
    assert left.salts is not None and not left.salts[4].any()
    assert left.nodes == leaves_of(READINGS, whole.columns, whole.salts)[4].tobytes()


def test_a_whole_segment_gone_leaves_one_hash() -> None:
    whole, segment = sealed(READINGS, 1_000)
    assert whole.without(np.ones(1_000, dtype=np.bool_)).nodes == segment.ref().root
    half = whole.without(np.arange(1_000) < 512)
    assert len(half.nodes) == 32


def test_hashes_that_do_not_fit_the_mask_are_refused() -> None:
    whole, segment = sealed(READINGS, 9)
    left = whole.without(np.arange(9) % 3 == 0)
    leaves = leaves_of(READINGS, left.columns, left.salts)
    for nodes in (left.nodes[:-32], left.nodes[:-1], left.nodes + bytes(32), b""):
        with pytest.raises(Corrupt) as caught:
            PrunedTree(leaves, left.erased, nodes)
        assert caught.value.code == "tree.pruned"
    flipped = bytes([left.nodes[0] ^ 1]) + left.nodes[1:]
    assert PrunedTree(leaves, left.erased, flipped).root() != segment.ref().root


def test_a_row_changed_or_a_mask_shifted_is_found() -> None:
    whole, segment = sealed(READINGS, 9)
    left = whole.without(np.arange(9) == 4)
    changed = {**left.columns, "position_wh": left.columns["position_wh"] + (np.arange(9) == 2)}
    shifted = np.arange(9) == 5
    for case in (
        SealedRows(READINGS, changed, left.salts, left.erased, left.nodes),
        SealedRows(READINGS, left.columns, left.salts, shifted, left.nodes),
    ):
        assert case.differs(segment.ref()) == "root"
        with pytest.raises(Corrupt) as caught:
            case.check(segment.ref())
        assert caught.value.code == "segment.altered"

"""Schedules and second pages on chain, by hand: whose columns count when, which dates hold, what is refused."""

from __future__ import annotations

from collections.abc import Iterator

import boa
import pytest
from deal_programs import Shape, pack
from deal_rig import Pair, Refusal, create, launch_on, refused_alike
from eth_utils.crypto import keccak

from penstock.capital.report import Report
from penstock.capital.schedule_rows import code_hash, creation, pack_rows, row_words, runtime

DAY_S = 86_400
NEVER_S = 2**32 - 1
DAYS_30_360, STALE, NEGATIVE, MEASURE, INFINITE_WHEN_STALE, COLUMN = 224, 231, 232, 238, 244, 245
DAILY = bytes.fromhex("07b20101000000000151800000000000")  # from 1970-01-01 on
SHAPE = Shape(5, 1, (), 5, 1)  # lanes: 4 the account, 5 a payee, 8-19 ledgers


def kept(*registers: int, rows: bytes = b"", words: int = 0, pages: int = 1) -> bytes:
    """A program that keeps registers in the ledgers from 8 on."""
    steps = [bytes((9, 255, register, 0, 8 + i, 0, 0, 0)) for i, register in enumerate(registers)]
    return pack(Shape(5, 1, (), 5, 1, pages), DAILY, steps, [0] * 12, rows, words)


def lanes(pair: Pair, count: int) -> list[int]:
    return [pair.state.lane(8 + i) for i in range(count)]


@pytest.fixture(autouse=True)
def undone() -> Iterator[None]:
    with boa.env.anchor():
        yield


def test_a_row_says_end_days_and_columns_and_after_the_last_its_columns_stand() -> None:
    columns = [[10 * c + k for k in range(3)] for c in range(11)]
    rows = pack_rows([DAY_S // 2, 0, 3 * DAY_S + 5], [30, 0, 31], columns)
    watched = (DAYS_30_360, COLUMN, COLUMN + 1, COLUMN + 2, COLUMN + 9, COLUMN + 10)
    pair = Pair.open(kept(*watched, rows=rows, words=row_words(11)), 1, rows)
    ends = []
    for _ in range(5):
        ends.append(pair.bounds[1])
        assert pair.close(Report.missing(), ends[-1]) is not None
        if len(ends) == 2:
            assert lanes(pair, 6) == [0, 1, 11, 21, 91, 101]
    assert ends == [DAY_S // 2, 2 * DAY_S, 3 * DAY_S + 5, 4 * DAY_S, 5 * DAY_S]
    assert lanes(pair, 6) == [0, 2, 12, 22, 92, 102]


def test_a_schedule_that_stops_early_holds_its_last_value() -> None:
    rows = pack_rows([], [], [[5], [1, 2, 3]])
    pair = Pair.open(kept(COLUMN, COLUMN + 1, rows=rows, words=1), 1, rows)
    seen = []
    for _ in range(4):
        pair.close(Report.missing(), pair.bounds[1])
        seen.append(lanes(pair, 2))
    assert seen == [[5, 1], [5, 2], [5, 3], [5, 3]]


def test_six_measures_and_their_signs_reach_six_registers() -> None:
    pair = Pair.open(kept(*range(NEGATIVE, NEGATIVE + 6), *range(MEASURE, MEASURE + 6), pages=2), 1)
    pair.close(Report((1, -2, 3, -4, 2**63 - 1, -(2**63)), DAY_S, NEVER_S), DAY_S)
    assert lanes(pair, 12) == [0, 1, 0, 1, 0, 1, 1, 0, 3, 0, 2**62 - 1, 0]


@pytest.mark.parametrize(
    "second", [0, Report((4, 5, 6), DAY_S - 1, NEVER_S).word, Report((4, 5, 6), DAY_S, DAY_S).word]
)
def test_one_stale_page_makes_the_report_stale(second: int) -> None:
    pair = Pair.open(kept(STALE, MEASURE, MEASURE + 3, INFINITE_WHEN_STALE, pages=2), 1)
    closing = pair.close(Report((1, 2, 3), DAY_S, NEVER_S), DAY_S, second=second)
    assert closing is not None
    assert not closing.fresh
    assert lanes(pair, 4) == [1, 0, 0, 2**62 - 1]


def test_a_deal_of_one_page_never_looks_at_a_second() -> None:
    pair = Pair.open(kept(STALE, MEASURE, MEASURE + 3), 1)
    pair.close(Report((1, 2, 3, 4, 5, 6), DAY_S, NEVER_S), DAY_S)
    assert lanes(pair, 3) == [0, 1, 0]


@pytest.mark.parametrize(
    "ends",
    [
        [DAY_S, DAY_S],  # no longer than nothing
        [DAY_S, DAY_S - 1],
        [3 * DAY_S],  # the next period, by formula, would end before it began
        [2 * DAY_S],
        [2 * DAY_S, 0],
    ],
)
def test_periods_that_end_before_they_start_are_refused(ends: list[int]) -> None:
    rows = pack_rows(ends, [], [])
    assert refused_alike(kept(COLUMN, rows=rows, words=1), 1, rows)


@pytest.mark.parametrize("at", [0, 8, 16, 24])
def test_a_lane_beyond_62_bits_is_refused(at: int) -> None:
    rows = bytearray(pack_rows([], [1], [[1], [1]]))
    rows[at] = 0x40
    assert refused_alike(kept(COLUMN, rows=bytes(rows), words=1), 1, bytes(rows))


def test_a_twelfth_column_is_refused() -> None:
    rows = bytearray(pack_rows([], [], [[1]] * 11))
    rows[-9] = 1
    assert refused_alike(kept(COLUMN, rows=bytes(rows), words=4), 1, bytes(rows))


def test_rows_and_program_name_each_other() -> None:
    rows, other = pack_rows([], [], [[1], [2]]), pack_rows([], [], [[1], [3]])
    assert refused_alike(kept(COLUMN, rows=rows, words=1), 1, other)
    assert refused_alike(kept(COLUMN, rows=rows, words=1), 1, b"")
    assert refused_alike(kept(COLUMN), 1, rows)
    assert refused_alike(kept(COLUMN, rows=rows, words=1), 1, rows + bytes(32))


def test_code_that_is_no_data_is_refused_though_the_program_names_its_hash() -> None:
    """A contract that could answer now so, now otherwise - or not at all, and freeze the deal."""
    rows = pack_rows([], [], [[1], [2]])
    code = b"\xfe" + runtime(rows)[1:]
    hostile = create(bytes.fromhex("600b380380600b5f395ff3") + code)
    program = kept(COLUMN, rows=rows, words=1)[:-32] + keccak(code)
    with pytest.raises(Refusal, match=r"schedule\.code"):
        launch_on(program, 1, hostile)


def test_the_longest_schedule_opens_and_closes() -> None:
    rows = pack_rows([], [], [range(1, 384)] * 6)  # 383 months of 2 words: 24,512 bytes
    code = kept(COLUMN + 5, rows=rows, words=2)
    monthly = code[:14] + bytes(4) + b"\x01" + code[19:]
    pair = Pair.open(monthly[:-32] + code_hash(rows), 1, rows)
    pair.close(Report.missing(), pair.bounds[1])
    assert lanes(pair, 1) == [1]


def test_the_data_contract_answers_slices() -> None:
    rows = bytes(range(64))
    at = create(creation(rows))
    for offset, size in ((0, 64), (32, 32), (5, 7), (60, 10), (10**6, 4), (0, 0)):
        asked = offset.to_bytes(32, "big") + size.to_bytes(32, "big")
        answer = boa.env.execute_code(at, data=asked).output
        assert answer == rows[offset : offset + size].ljust(size, b"\0")

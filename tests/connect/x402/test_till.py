"""The till: rows move one way, steps are whole or not at all, and what is in the file survives."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable
from dataclasses import replace
from pathlib import Path

import pytest
from payment_kit import PAYER, PROVIDER, Later

from penstock.chain.node import CHAIN_ID
from penstock.connect.x402.payment import Method, Payment, exact_id, spend_id
from penstock.connect.x402.till import Till
from penstock.connect.x402.till_rows import DOLLARS, Request, State
from penstock.errors import Conflict, Refused, Unavailable
from penstock.usecases.facilitate import now_us

TOKEN, TX = b"\x11" * 20, b"\x22" * 32
REQUEST = Request(370, b"\x33" * 32, "http://provider.test/answer", "model")


def payment(number: int = 0) -> Payment:
    nonce = number.to_bytes(32, "big")
    return Payment(
        exact_id(CHAIN_ID, TOKEN, PAYER.address, nonce), "exact", Method.EIP3009, CHAIN_ID, TOKEN, PAYER.address,
        PROVIDER.address, 2**255, nonce, 2**255, b"\x44" * 65,
    )  # fmt: skip


def spending(number: int, units: int) -> Payment:
    salt = number.to_bytes(32, "big")
    found = replace(payment(number), id=spend_id(DOLLARS, PAYER.address, salt), scheme="credit", method=Method.SPEND)
    return replace(found, token=DOLLARS, amount=units)


def test_a_row_comes_back_as_it_went_in(till: Till) -> None:
    async def go() -> None:
        row, new = await till.take(payment(), REQUEST)
        assert new and row.state is State.SETTLING and row.payment == replace(payment(), valid_before_s=2**62)
        again, new = await till.take(payment(), REQUEST)
        assert not new and again == row

    asyncio.run(go())


def test_a_row_moves_one_way(till: Till) -> None:
    async def go() -> list[State]:
        one = payment().id
        await till.take(payment(), REQUEST)
        states = [(await till.paid(one, TX, 370)).state, (await till.failed(one, "late no")).state]
        states.append((await till.answered(one, b"answer", "{}", 300)).state)
        states.append((await till.refunding(one, "too late")).state)
        states.append((await till.refunded(one, TX)).state)
        states.append((await till.answered(one, b"another", "{}", 1)).state)
        row = await till.row(one)
        assert row is not None and (row.body, row.spent, row.number) == (b"answer", 300, 1)
        return states

    paid, answered = State.PAID, State.ANSWERED
    assert asyncio.run(go()) == [paid, paid, answered, answered, answered, answered]
    assert asyncio.run(till.balance(PAYER.address)) == 70


def test_a_payment_is_bound_to_its_request(till: Till) -> None:
    async def go() -> None:
        await till.take(payment(), REQUEST)
        for other in (replace(REQUEST, sha256=b"\x34" * 32), replace(REQUEST, url="http://provider.test/other")):
            with pytest.raises(Conflict, match=r"payment\.replayed"):
                await till.take(payment(), other)

    asyncio.run(go())


def test_a_failed_payment_may_be_tried_again_a_lost_one_not(till: Till) -> None:
    async def go() -> list[State]:
        await till.take(payment(), REQUEST)
        await till.failed(payment().id, "no")
        again = (await till.take(payment(), REQUEST))[0].state
        await till.lost(payment().id, "ended")
        return [again, (await till.take(payment(), REQUEST))[0].state]

    assert asyncio.run(go()) == [State.SETTLING, State.FAILED]
    assert asyncio.run(till.open_rows()) == []


def test_a_refused_step_leaves_its_neighbours_alone(till: Till) -> None:
    """Steps that share a transaction: the one that is refused takes nothing along."""

    async def go() -> list[object]:
        await till.deposit(bytes(32), PAYER.address, DOLLARS, 100)
        turns = [till.spend(spending(number, 60), replace(REQUEST, price=60)) for number in range(5)]
        return await asyncio.gather(*turns, return_exceptions=True)

    found = asyncio.run(go())
    refused = [one for one in found if isinstance(one, Refused)]
    assert len(refused) == 4 and {one.code for one in refused} == {"payment.no_balance"}
    assert asyncio.run(till.balance(PAYER.address)) == 40
    assert len(asyncio.run(till.open_rows())) == 1  # the refused left no row behind


def test_what_is_in_the_file_survives(tmp_path: Path) -> None:
    async def first() -> None:
        with Till(tmp_path / "till.sqlite", now_us) as till:
            await till.take(payment(), REQUEST)
            await till.paid(payment().id, TX, 370)

    async def second() -> tuple[State, bytes, int]:
        with Till(tmp_path / "till.sqlite", now_us) as till:
            row = (await till.take(payment(), REQUEST))[0]
            return row.state, row.tx, row.charged

    asyncio.run(first())
    assert asyncio.run(second()) == (State.PAID, TX, 370)


def test_one_process_has_a_till_open(tmp_path: Path) -> None:
    with Till(tmp_path / "till.sqlite", now_us), pytest.raises(Unavailable, match=r"payment\.till_in_use"):
        Till(tmp_path / "till.sqlite", now_us)


def test_a_file_that_is_no_till_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "till.sqlite").write_bytes(b"no database, but long enough to be read as one" * 100)
    with pytest.raises(Unavailable, match=r"payment\.till_failed"):
        Till(tmp_path / "till.sqlite", now_us)


def test_a_disk_that_fails_is_an_error_and_no_answer(till: Till) -> None:
    async def go() -> None:
        def broken(sql: sqlite3.Connection) -> None:
            raise sqlite3.OperationalError("disk I/O error")

        with pytest.raises(Unavailable, match=r"payment\.till_failed"):
            await till.do(broken)
        assert (await till.take(payment(), REQUEST))[1]

    asyncio.run(go())


def test_bodies_are_forgotten_and_payments_are_not(tmp_path: Path) -> None:
    clock = Later()

    async def go() -> tuple[int, bytes | None, State]:
        with Till(tmp_path / "till.sqlite", clock) as till:
            await till.take(payment(), REQUEST)
            await till.paid(payment().id, TX, 370)
            await till.answered(payment().id, b"answer", "{}", 370)
            clock.ahead_us = 1_000_000
            forgotten = await till.forget_bodies(clock())
            row = (await till.take(payment(), REQUEST))[0]
            return forgotten, row.body, row.state

    assert asyncio.run(go()) == (1, None, State.ANSWERED)


def test_what_is_promised_waits_for_the_disk(till: Till) -> None:
    seen: list[str] = []

    async def waits(act: Awaitable[object]) -> bool:
        seen.clear()
        await act
        at = max(number for number, text in enumerate(seen) if text.startswith("PRAGMA synchronous"))
        assert seen[at + 1] == "BEGIN IMMEDIATE" and seen[-1] == "COMMIT"
        return seen[at].endswith("FULL")

    async def go() -> list[bool]:
        await till.do(lambda sql: sql.set_trace_callback(seen.append))
        await till.deposit(b"\x01" * 32, PAYER.address, DOLLARS, 1_000)
        one, other = payment(), spending(1, 370)
        acts = [
            till.take(one, REQUEST), till.paid(one.id, TX, 370, on_disk=False), till.answered(one.id, b"", "{}", 370),
            till.spend(other, REQUEST), till.answered(other.id, b"", "{}", 370),
            till.take(payment(2), REQUEST), till.paid(payment(2).id, TX, 370), till.refunding(payment(2).id, "late"),
        ]  # fmt: skip
        return [await waits(act) for act in acts]

    taken_paid_answered, spent_answered, refunded = [True, False, True], [False, True], [True, True, True]
    assert asyncio.run(go()) == [*taken_paid_answered, *spent_answered, *refunded]


def test_what_is_told_of_a_row_is_what_is_kept(till: Till) -> None:
    async def go() -> None:
        await till.deposit(b"\x01" * 32, PAYER.address, DOLLARS, 1_000)
        spent, _ = await till.spend(spending(1, 370), REQUEST)
        assert spent.state is State.PAID and spent == await till.row(spent.id)
        answered = await till.answered(spent.id, b"answer", "{}", 300)
        assert answered.state is State.ANSWERED and answered == await till.row(spent.id)

    asyncio.run(go())


def test_what_went_back_or_was_answered_gives_no_more(till: Till) -> None:
    async def go() -> list[int]:
        await till.deposit(b"\x01" * 32, PAYER.address, DOLLARS, 1_000)
        back, kept = spending(1, 370), spending(2, 370)
        await till.spend(back, REQUEST)
        await till.returned(back.id, "no answer")
        held = [await till.balance(PAYER.address)]
        await till.answered(back.id, b"too late", "{}", 1)
        held.append(await till.balance(PAYER.address))
        await till.spend(kept, REQUEST)
        await till.answered(kept.id, b"answer", "{}", 370)
        await till.returned(kept.id, "too late")
        return [*held, await till.balance(PAYER.address)]

    assert asyncio.run(go()) == [1_000, 1_000, 630]

"""The till's rows and the steps that change them: each a few statements, made durable by the till that runs them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from penstock.connect.x402.payment import Method, Payment
from penstock.errors import Conflict, Refused

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS payment (
  id BLOB PRIMARY KEY, state TEXT NOT NULL, scheme TEXT NOT NULL, method TEXT NOT NULL, chain_id INTEGER NOT NULL,
  token BLOB NOT NULL, payer BLOB NOT NULL, payee BLOB NOT NULL, signed_amount TEXT NOT NULL, nonce BLOB NOT NULL,
  valid_before_s INTEGER NOT NULL, signature BLOB NOT NULL, price INTEGER NOT NULL, charged INTEGER NOT NULL DEFAULT 0,
  spent INTEGER NOT NULL DEFAULT 0, request BLOB NOT NULL, url TEXT NOT NULL, model TEXT NOT NULL,
  tx BLOB NOT NULL DEFAULT x'',
  refund_tx BLOB NOT NULL DEFAULT x'', number INTEGER UNIQUE, body BLOB, headers TEXT NOT NULL DEFAULT '',
  why TEXT NOT NULL DEFAULT '', taken_us INTEGER NOT NULL, paid_us INTEGER NOT NULL DEFAULT 0,
  closed_us INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS payment_open ON payment (taken_us)
  WHERE state NOT IN ('answered', 'refunded') AND closed_us = 0;
CREATE INDEX IF NOT EXISTS payment_payer ON payment (payer) WHERE state = 'settling';
CREATE TABLE IF NOT EXISTS balance (
  holder BLOB NOT NULL, class BLOB NOT NULL, units INTEGER NOT NULL CHECK (units >= 0),
  PRIMARY KEY (holder, class)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS deposit (source BLOB PRIMARY KEY, holder BLOB NOT NULL, class BLOB NOT NULL,
  units INTEGER NOT NULL, at_us INTEGER NOT NULL) WITHOUT ROWID;
"""
DOLLARS: Final = bytes(32)
"""The class of prepaid dollars [micro-dollars]; every other class is a class of credits."""


class State(StrEnum):
    """How far a payment is."""

    SETTLING = "settling"  # taken, and somebody is asked to settle it
    PAID = "paid"  # the money is here, the answer is not
    ANSWERED = "answered"
    REFUNDING = "refunding"  # the money is to go back
    REFUNDED = "refunded"
    FAILED = "failed"  # no money came


@dataclass(frozen=True, slots=True)
class Row:
    """A payment as the till knows it.

    ``price`` is what was asked [micro-dollars, or units of a credit class], ``charged`` what came in, ``spent`` what
    the answer cost; the rest is the payer's, prepaid. ``request`` is the sha256 of what was asked.
    """

    id: bytes
    state: State
    payment: Payment
    price: int
    charged: int
    spent: int
    request: bytes
    url: str
    model: str
    tx: bytes
    refund_tx: bytes
    number: int | None
    body: bytes | None
    headers: str
    why: str
    taken_us: int
    paid_us: int
    closed_us: int


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be paid for: its price in the payment's units, the sha256 of its content, where and which model."""

    price: int
    sha256: bytes
    url: str
    model: str


_OPEN: Final = "state NOT IN ('answered', 'refunded') AND closed_us = 0"
_COLUMNS: Final = (
    "id, state, scheme, method, chain_id, token, payer, payee, signed_amount, nonce, valid_before_s, signature, price,"
    " charged, spent, request, url, model, tx, refund_tx, number, body, headers, why, taken_us, paid_us, closed_us"
)


def take(sql: sqlite3.Connection, payment: Payment, request: Request, now: int, most: int) -> tuple[Row, bool]:
    found = row_of(sql, payment.id)
    if found is not None:
        return _taken_before(sql, found, payment, request), False
    _few_under_way(sql, payment.payer, most)
    return _insert(sql, _fresh(payment, request, now)), True


def _taken_before(sql: sqlite3.Connection, found: Row, payment: Payment, request: Request) -> Row:
    _same(found, payment, request)
    return move(sql, payment.id, (State.FAILED,), State.SETTLING, {}) if _again(found) else found


def _few_under_way(sql: sqlite3.Connection, payer: bytes, most: int) -> None:
    query = "SELECT count(*) FROM payment WHERE payer = ? AND state = 'settling'"
    if sql.execute(query, (payer,)).fetchone()[0] >= most:
        hint = "Wait until some are settled, or buy credits ahead."
        raise Refused(
            "payment.too_many_unsettled", "Too many of the payer's payments are under way.", hint=hint, limit=most
        )


def _fresh(payment: Payment, request: Request, now: int) -> Row:
    kept = replace(payment, valid_before_s=min(payment.valid_before_s, 2**62))
    return Row(
        payment.id, State.SETTLING, kept, request.price, 0, 0, request.sha256, request.url, request.model, b"", b"",
        None, None, "", "", now, 0, 0,
    )  # fmt: skip


def _insert(sql: sqlite3.Connection, row: Row) -> Row:
    """The row as it will be read again."""
    payment = row.payment
    sql.execute(
        "INSERT INTO payment (id, state, scheme, method, chain_id, token, payer, payee, signed_amount, nonce,"
        " valid_before_s, signature, price, charged, request, url, model, taken_us, paid_us)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            row.id, row.state, payment.scheme, payment.method, payment.chain_id, payment.token, payment.payer,
            payment.payee, str(payment.amount), payment.nonce, payment.valid_before_s, payment.signature, row.price,
            row.charged, row.request, row.url, row.model, row.taken_us, row.paid_us,
        ),
    )  # fmt: skip
    return row


def _again(found: Row) -> bool:
    """Whether a failed payment may be tried again."""
    return found.state is State.FAILED and found.closed_us == 0


def _same(found: Row, payment: Payment, request: Request) -> Row:
    """A payment pays for one request, as it was signed."""
    if found.request != request.sha256 or found.url != request.url or found.payment.payee != payment.payee:
        hint = "Sign a new payment for each request."
        raise Conflict(
            "payment.replayed", "This payment paid for another request already.", hint=hint, payment=payment.id.hex()
        )
    return found


def spend(sql: sqlite3.Connection, payment: Payment, request: Request, now: int, most: int) -> tuple[Row, bool]:
    found = row_of(sql, payment.id)
    row = _fresh(payment, request, now) if found is None else _taken_before(sql, found, payment, request)
    if row.state is not State.SETTLING:
        return row, False
    if found is None:
        _few_under_way(sql, payment.payer, most)
    held = balance(sql, payment.payer, payment.token)
    if held < request.price:
        hint = "Buy more, or pay this one in dollars."
        raise Refused("payment.no_balance", "The balance here is too small.", hint=hint, held=held, price=request.price)
    _add(sql, payment.payer, payment.token, -request.price)
    if found is None:
        return _insert(sql, replace(row, state=State.PAID, charged=request.price, paid_us=now)), True
    values = {"charged": request.price, "paid_us": now}
    return move(sql, payment.id, (State.SETTLING,), State.PAID, values), False


def answered(sql: sqlite3.Connection, payment_id: bytes, body: bytes, headers: str, spent: int, now: int) -> Row:
    row = _known(sql, payment_id)
    if row.state is not State.PAID:
        return row
    spent = min(spent, row.charged)
    _give(sql, row, row.charged - spent)
    number = sql.execute("SELECT coalesce(max(number), 0) + 1 FROM payment").fetchone()[0]
    sql.execute(
        "UPDATE payment SET state = ?, body = ?, headers = ?, spent = ?, number = ?, closed_us = ? WHERE id = ?",
        (State.ANSWERED, body, headers, spent, number, now, payment_id),
    )
    return replace(row, state=State.ANSWERED, body=body, headers=headers, spent=spent, number=number, closed_us=now)


def returned(sql: sqlite3.Connection, payment_id: bytes, why: str, now: int) -> Row:
    row, from_ = _known(sql, payment_id), (State.PAID, State.REFUNDING)
    if row.state not in from_:
        return row
    _give(sql, row, row.charged)
    return move(sql, payment_id, from_, State.REFUNDED, {"why": why, "closed_us": now})


def _give(sql: sqlite3.Connection, row: Row, units: int) -> None:
    """Into the payer's balance: of the class it was paid from, or dollars."""
    class_id = row.payment.token if len(row.payment.token) == len(DOLLARS) else DOLLARS
    if units:
        _add(sql, row.payment.payer, class_id, units)


def deposit(sql: sqlite3.Connection, source: bytes, holder: bytes, class_id: bytes, units: int, now: int) -> int:
    fresh = sql.execute("INSERT OR IGNORE INTO deposit VALUES (?, ?, ?, ?, ?)", (source, holder, class_id, units, now))
    if fresh.rowcount:
        _add(sql, holder, class_id, units)
    return balance(sql, holder, class_id)


def withdraw(sql: sqlite3.Connection, source: bytes, holder: bytes, class_id: bytes, units: int, now: int) -> int:
    """Take from a balance what it has, once for each source; the balance after it."""
    taken = min(units, balance(sql, holder, class_id))
    fresh = sql.execute("INSERT OR IGNORE INTO deposit VALUES (?, ?, ?, ?, ?)", (source, holder, class_id, -taken, now))
    if fresh.rowcount and taken:
        _add(sql, holder, class_id, -taken)
    return balance(sql, holder, class_id)


def _add(sql: sqlite3.Connection, holder: bytes, class_id: bytes, units: int) -> None:
    if units > 0:
        sql.execute("INSERT OR IGNORE INTO balance VALUES (?, ?, 0)", (holder, class_id))
    sql.execute("UPDATE balance SET units = units + ? WHERE holder = ? AND class = ?", (units, holder, class_id))


def balance(sql: sqlite3.Connection, holder: bytes, class_id: bytes) -> int:
    row = sql.execute("SELECT units FROM balance WHERE holder = ? AND class = ?", (holder, class_id)).fetchone()
    return int(row[0]) if row else 0


def move(
    sql: sqlite3.Connection, payment_id: bytes, from_: tuple[State, ...], to: State, values: Mapping[str, object]
) -> Row:
    """From one state to another; a row already further stays where it is."""
    names = "".join(f", {name} = ?" for name in values)
    places = ",".join("?" * len(from_))
    query = f"UPDATE payment SET state = ?{names} WHERE id = ? AND state IN ({places})"  # noqa: S608 (our own names)
    sql.execute(query, (to, *values.values(), payment_id, *from_))
    return _known(sql, payment_id)


def _known(sql: sqlite3.Connection, payment_id: bytes) -> Row:
    found = row_of(sql, payment_id)
    if found is None:
        raise Refused("payment.unknown", "The till does not know this payment.", payment=payment_id.hex())
    return found


def row_of(sql: sqlite3.Connection, payment_id: bytes) -> Row | None:
    found = sql.execute(f"SELECT {_COLUMNS} FROM payment WHERE id = ?", (payment_id,)).fetchone()  # noqa: S608
    return None if found is None else _read(found)


def open_rows(sql: sqlite3.Connection) -> list[Row]:
    """Payments that are neither answered nor back nor lost for good, oldest first."""
    query = f"SELECT {_COLUMNS} FROM payment WHERE {_OPEN} ORDER BY taken_us"  # noqa: S608 (our own names)
    return [_read(found) for found in sql.execute(query)]


def answers(sql: sqlite3.Connection, after: int, limit: int) -> list[Row]:
    """Answered payments in order of number, without their bodies."""
    columns = _COLUMNS.replace(" body,", " NULL,")
    query = f"SELECT {columns} FROM payment WHERE number > ? ORDER BY number LIMIT ?"  # noqa: S608 (our own names)
    return [_read(found) for found in sql.execute(query, (after, limit))]


def _read(found: tuple[Any, ...]) -> Row:
    payment = Payment(
        found[0], found[2], Method(found[3]), found[4], found[5], found[6], found[7], int(found[8]), found[9],
        found[10], found[11],
    )  # fmt: skip
    return Row(found[0], State(found[1]), payment, *found[12:])

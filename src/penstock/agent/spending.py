"""What an agent spent and may still be made to pay: one SQLite file that all its processes share.

A payment counts from the moment before it is signed. It stops counting only when nobody can cash it any more: it was
never signed, or the chain says after its time that it was not used. So two processes with one mandate cannot overspend,
and neither can one that dies between signing and hearing of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from penstock.agent.admission import Ask, Spent, admit
from penstock.agent.mandate import Mandate
from penstock.errors import Refused, Unavailable
from penstock.period import HOUR_US, SECOND_US

RESERVED, SIGNED, PAID, VOID = "reserved", "signed", "paid", "void"
STOP: Final = "STOP"
"""While a file of this name lies in the agent's folder, nothing is paid."""
WAIT_S: Final = 10.0
RESERVED_US: Final = 60 * SECOND_US
"""A payment is signed within this after it was reserved, or never [us]."""
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS payment (
  number INTEGER PRIMARY KEY, at_us INTEGER NOT NULL, url TEXT NOT NULL, request_sha256 TEXT NOT NULL,
  network TEXT NOT NULL, asset TEXT NOT NULL, scheme TEXT NOT NULL, pay_to TEXT NOT NULL,
  counted_usdc_micro INTEGER NOT NULL, tokens INTEGER NOT NULL, kind TEXT NOT NULL, purpose TEXT NOT NULL,
  state TEXT NOT NULL, valid_before_us INTEGER NOT NULL DEFAULT 0, nonce TEXT NOT NULL DEFAULT '',
  header TEXT NOT NULL DEFAULT '', tx TEXT NOT NULL DEFAULT '', note TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS payment_at ON payment (at_us);
CREATE INDEX IF NOT EXISTS payment_request ON payment (request_sha256);
CREATE TABLE IF NOT EXISTS approval (
  number INTEGER PRIMARY KEY, amount_usdc_micro INTEGER NOT NULL, until_us INTEGER NOT NULL, payment INTEGER);
"""
_FIELDS: Final = (
    "number, at_us, url, request_sha256, network, asset, scheme, pay_to, counted_usdc_micro, tokens, kind, "
    "purpose, state, valid_before_us, nonce, header, tx, note"
)


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment on the book; ``header`` is what was signed, to be sent again as it is. Secret until it is paid."""

    number: int
    at_us: int
    url: str
    request_sha256: str
    network: str
    asset: str
    scheme: str
    pay_to: str
    counted_usdc_micro: int
    tokens: int
    kind: str
    purpose: str
    state: str
    valid_before_us: int
    nonce: str
    header: str
    tx: str
    note: str

    def __repr__(self) -> str:
        return f"Payment({self.number}, {self.state}, {self.counted_usdc_micro} µ$ to {self.pay_to})"


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a payment is for, and the most that may be spent on it in all; None: what the mandate says."""

    name: str = ""
    limit_usdc_micro: int | None = None


ANY: Final = Purpose()


@dataclass(frozen=True, slots=True)
class Book:
    """The book at ``path``; each call is one transaction of its own."""

    path: Path

    def reserve(self, mandate: Mandate, ask: Ask, request_sha256: str, now_us: int, purpose: Purpose = ANY) -> int:
        """Count the payment, if every rule allows it; its number. Of two that race for the last dollar, one gets it.

        Raises:
            Refused: ``agent.stopped``, ``agent.pending`` where this request's payment is already out, ``goal.budget``
            beyond the purpose's limit, and as `admit`.
        """
        with self._changing() as db:
            self._refuse_where_stopped()
            if self._open_at(db, ask.url, request_sha256):
                raise Refused("agent.pending", "A payment for this request is out already.", hint="Send it again.")
            approval = db.execute(
                "SELECT number FROM approval WHERE payment IS NULL AND until_us > ? AND amount_usdc_micro >= ?"
                " ORDER BY amount_usdc_micro, number LIMIT 1",
                (now_us, ask.amount_usdc_micro),
            ).fetchone()
            admit(mandate, ask, _spent(db, now_us), now_us, approved=approval is not None)
            _within(db, purpose, ask.amount_usdc_micro)
            number = _insert(db, ask, request_sha256, now_us, purpose)
            if approval and ask.amount_usdc_micro > mandate.budget.ask_above_usdc_micro:
                db.execute("UPDATE approval SET payment = ? WHERE number = ?", (number, approval[0]))
            return number

    def sign(self, number: int, header: str, nonce: str, valid_before_us: int) -> None:
        """What was signed, kept before it is sent.

        Raises:
            Refused: ``agent.late`` where the reservation has been given up meanwhile: what was signed must not be sent.
        """
        with self._changing() as db:
            done = db.execute(
                "UPDATE payment SET state = ?, header = ?, nonce = ?, valid_before_us = ?"
                " WHERE number = ? AND state = ?",
                (SIGNED, header, nonce, valid_before_us, number, RESERVED),
            )
            if done.rowcount != 1:
                raise Refused("agent.late", "This payment's reservation was given up.", hint="Reserve again.")

    def settle(self, number: int, paid_usdc_micro: int, tx: str) -> None:
        """It was paid, and so much of it as the chain may have moved, never more than was counted: who is paid may
        well say that it took less."""
        with self._changing() as db:
            db.execute(
                "UPDATE payment SET state = ?, counted_usdc_micro = min(counted_usdc_micro, ?), tx = ?, header = ''"
                " WHERE number = ?",
                (PAID, paid_usdc_micro, tx, number),
            )

    def void(self, number: int, note: str) -> None:
        """It cannot be cashed any more: never signed, or past its time and unused by the chain's word."""
        with self._changing() as db:
            db.execute(
                "UPDATE payment SET state = ?, counted_usdc_micro = 0, note = ?, header = '' WHERE number = ?",
                (VOID, note, number),
            )
            db.execute("UPDATE approval SET payment = NULL WHERE payment = ?", (number,))

    def give_up(self, now_us: int) -> int:
        """Void what was reserved a while ago and never signed, as its process must have died; how many."""
        with self._changing() as db:
            done = db.execute(
                "UPDATE payment SET state = ?, counted_usdc_micro = 0, note = 'never signed'"
                " WHERE state = ? AND at_us < ?",
                (VOID, RESERVED, now_us - RESERVED_US),
            )
            return done.rowcount

    def note(self, number: int, note: str) -> None:
        """A word on a payment, for whoever reads the book."""
        with self._changing() as db:
            db.execute("UPDATE payment SET note = ? WHERE number = ?", (note, number))

    def approve(self, amount_usdc_micro: int, until_us: int) -> None:
        """The owner says yes to one payment of at most so much, until then."""
        with self._changing() as db:
            db.execute(
                "INSERT INTO approval (amount_usdc_micro, until_us) VALUES (?, ?)", (amount_usdc_micro, until_us)
            )

    def open_for(self, url: str, request_sha256: str) -> Payment | None:
        """The payment for this request that is out at ``url`` and not known to be cashed."""
        with self._changing() as db:
            return self._open_at(db, url, request_sha256)

    def spent(self, now_us: int) -> Spent:
        """What counts now, in the hour before and in all."""
        with self._changing() as db:
            return _spent(db, now_us)

    def spent_for(self, purpose: str) -> int:
        """What counts of all payments for a purpose [micro-dollars]."""
        with self._changing() as db:
            return _spent_for(db, purpose)

    def payments(self) -> list[Payment]:
        """All of them, first to last."""
        with self._changing() as db:
            return [Payment(*row) for row in db.execute(f"SELECT {_FIELDS} FROM payment ORDER BY number")]  # noqa: S608

    def prices_paid(self, network: str, limit: int = 20) -> list[int]:
        """What was last paid on ``network`` [micro-dollars per 1,000 tokens], newest first."""
        query = (
            "SELECT counted_usdc_micro * 1000 / tokens FROM payment WHERE state = ? AND network = ? AND tokens > 0"
            " AND counted_usdc_micro > 0 ORDER BY number DESC LIMIT ?"
        )
        with self._changing() as db:
            return [int(row[0]) for row in db.execute(query, (PAID, network, limit))]

    def _open_at(self, db: sqlite3.Connection, url: str, request_sha256: str) -> Payment | None:
        query = f"SELECT {_FIELDS} FROM payment WHERE url = ? AND request_sha256 = ? AND state = ?"  # noqa: S608
        row = db.execute(query, (url, request_sha256, SIGNED)).fetchone()
        return Payment(*row) if row else None

    def _refuse_where_stopped(self) -> None:
        if (self.path.parent / STOP).exists():
            hint = f"Remove the file {STOP} (`penstock agent stop --off`) to go on."
            raise Refused("agent.stopped", "The agent is stopped: nothing is paid.", hint=hint)

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, timeout=WAIT_S, isolation_level=None)) as db:
            try:
                db.execute("PRAGMA synchronous = FULL")
                db.execute("BEGIN IMMEDIATE")
                for statement in filter(str.strip, _TABLES.split(";")):
                    db.execute(statement)
                yield db
                db.execute("COMMIT")
            except sqlite3.OperationalError as error:
                hint = "Try again; if it stays so, look for a process that holds it."
                raise Unavailable("agent.book", f"The book of payments does not answer: {error}.", hint=hint) from None


def _spent(db: sqlite3.Connection, now_us: int) -> Spent:
    hour, total = db.execute(
        "SELECT coalesce(sum(counted_usdc_micro) FILTER (WHERE at_us > ?), 0), coalesce(sum(counted_usdc_micro), 0)"
        " FROM payment",
        (now_us - HOUR_US,),
    ).fetchone()
    return Spent(hour, total)


def _spent_for(db: sqlite3.Connection, purpose: str) -> int:
    query = "SELECT coalesce(sum(counted_usdc_micro), 0) FROM payment WHERE purpose = ?"
    return int(db.execute(query, (purpose,)).fetchone()[0])


def _within(db: sqlite3.Connection, purpose: Purpose, amount_usdc_micro: int) -> None:
    if purpose.limit_usdc_micro is None:
        return
    left = purpose.limit_usdc_micro - _spent_for(db, purpose.name)
    if amount_usdc_micro > left:
        raise Refused("goal.budget", f"{amount_usdc_micro} µ$ is more than the {left} µ$ left for this goal.")


def _insert(db: sqlite3.Connection, ask: Ask, request_sha256: str, now_us: int, purpose: Purpose) -> int:
    row = {
        "at_us": now_us,
        "url": ask.url,
        "request_sha256": request_sha256,
        "network": ask.network,
        "asset": ask.asset,
        "scheme": ask.scheme,
        "pay_to": ask.pay_to,
        "counted_usdc_micro": ask.amount_usdc_micro,
        "tokens": ask.tokens,
        "kind": ask.kind,
        "purpose": purpose.name,
        "state": RESERVED,
    }
    marks = ", ".join("?" * len(row))
    inserted = db.execute(f"INSERT INTO payment ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))  # noqa: S608
    return int(inserted.lastrowid or 0)

"""A work report: what a provider signs of an interval - every answer, its energy, what was paid for it.

One DSSE envelope around an in-toto statement of type ``work/1``. Its subject is the Merkle root of the rows of
``work/1``, the predicate holds those rows and, beside each, how it was paid; where the meter stood; how its energy was
shared and sealed. Columns travel as base64 of little-endian int64, digests as base64 of bytes. Reading checks all that
can be checked without anything else: root, sums, order, the Merkle-sum tree.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np

from penstock.compute.merkle_sum import SealedSums, seal_interval
from penstock.errors import Invalid, Unverified
from penstock.journal.formats import WORK as WORK_ROWS
from penstock.journal.segment import Column, Columns, Segment
from penstock.keys import SigningKey
from penstock.keys.dsse import STATEMENT, Envelope, open_sealed, read_statement, seal, statement
from penstock.keys.dsse import WORK as WORK_TYPE
from penstock.period import Period

CREDIT: Final = 2
UNPAID: Final = 255
SCHEMES: Final = frozenset({0, 1, 2, UNPAID})
"""Codes of ``sale/1``, and that of an answer nobody paid for. One paid from a class of credits names the class as its
``tx`` and brings no dollars: those came when the credits were sold."""
WHOLE: Final = tuple(name for name, _ in WORK_ROWS.fixed)
SALE_WHOLE: Final = ("scheme", "paid_usdc_micro")
DIGESTS: Final = {"payment": 32, "request": 32, "answer": 32, "salt": 32}
SALE_BYTES: Final = {"payer": 20, "tx": 32}
SUMMED: Final = ("prompt_tokens", "output_tokens", "time_ms", "energy_mj")
ANSWERS_MAX: Final = 1_000_000
INSTANT_MAX: Final = 2**53


@dataclass(frozen=True, slots=True)
class Metered:
    """Where the meter stood at start and stop [mJ], how its figure was got and shared, and what that assumes.

    ``parts_mj`` is idle, overhead and unattributed. ``source`` says where the power figure came from, ``method`` and
    ``parameters`` (canonical JSON) by which rule it was shared.
    """

    start_mj: int
    stop_mj: int
    parts_mj: tuple[int, int, int]
    source: str
    method: str
    parameters: str
    assumptions: tuple[str, ...] = ()

    @property
    def meter_mj(self) -> int:
        """What the meter counted [mJ]."""
        return self.stop_mj - self.start_mj


@dataclass(frozen=True)
class WorkReport:
    """The report of one rack, model and interval.

    ``rows`` has the columns of ``work/1`` with its digests apart: ``payment``, ``request``, ``answer``, ``salt``, each
    uint8[n, 32]. ``sales`` has ``scheme``, ``paid_usdc_micro`` (int64), ``payer`` uint8[n, 20], ``tx`` uint8[n, 32].
    """

    provider: str
    rack: str
    model: str
    period: Period
    rows: Columns
    sales: Columns
    metered: Metered

    def __len__(self) -> int:
        return len(self.rows["number"])

    @property
    def first_number(self) -> int:
        """The provider's number of the first answer; 0 where there is none."""
        return int(self.rows["number"][0]) if len(self) else 0

    @property
    def answers_mj(self) -> int:
        """All answers together [mJ]."""
        return int(self.rows["energy_mj"].sum())

    @property
    def paid_usdc_micro(self) -> int:
        """What was paid for all of them [micro-dollars]."""
        return int(self.sales["paid_usdc_micro"].sum())

    @cached_property
    def segment(self) -> Segment:
        """The rows as the journal seals them."""
        joined = np.concatenate([self.rows[name] for name in DIGESTS], axis=1)
        digests = np.empty(len(self), dtype=object)
        digests[:] = [row.tobytes() for row in joined]
        return Segment(WORK_ROWS, {**{name: self.rows[name] for name in WHOLE}, "digests": digests})

    @cached_property
    def root(self) -> bytes:
        """The Merkle root of the rows: what the provider is bound by."""
        return self.segment.ref().root

    @cached_property
    def sealed(self) -> SealedSums:
        """The Merkle-sum tree of the interval's energy: answers in order, then idle, overhead, unattributed."""
        return seal_interval(self.rows["salt"], self.rows["payment"], self.rows["energy_mj"], self.metered.parts_mj)


def check_report(report: WorkReport) -> None:
    """That a report holds together.

    Raises:
        Invalid: ``work.rows`` for rows out of order, outside of the interval, or below 0; a payment that stands twice.
        Unverified: ``work.energy`` where answers, idle, overhead and unattributed are not what the meter counted.
    """
    rows, sales, start_us, stop_us = report.rows, report.sales, report.period.start_us, report.period.stop_us
    wrong = {
        "numbers": rows["number"] != report.first_number + np.arange(len(report)),
        "instants": (rows["arrived_us"] > rows["first_us"]) | (rows["first_us"] > rows["done_us"]),
        "interval": (rows["done_us"] < start_us) | (rows["done_us"] >= stop_us),
        "figures": np.min([rows[name] for name in WHOLE], axis=0, initial=0) < 0,
        "sales": (sales["paid_usdc_micro"] < 0) | ~np.isin(sales["scheme"], list(SCHEMES)),
        "unpaid": (sales["scheme"] == UNPAID) & (sales["paid_usdc_micro"] != 0),
        "credits": (sales["scheme"] == CREDIT) & sales["tx"].any(axis=1) & (sales["paid_usdc_micro"] != 0),
    }
    for word, bad in wrong.items():
        if np.any(bad):
            raise Invalid("work.rows", f"A row of the report breaks a rule: {word}.", row=int(np.argmax(bad)))
    for name in ("paid_usdc_micro", *SUMMED):
        if (
            np.cumsum(sales[name] if name in sales else rows[name]) < 0
        ).any():  # 64 bits went round: any total would do
            raise Invalid("work.rows", f"The rows sum to more than there can be: {name}.")
    if len(np.unique(rows["payment"], axis=0)) != len(report):
        raise Invalid("work.rows", "A payment stands twice in the report.")
    if min(report.metered.parts_mj) < 0 or report.metered.start_mj < 0:
        raise Invalid("work.rows", "Energy is not negative.")
    if report.answers_mj + sum(report.metered.parts_mj) != report.metered.meter_mj:
        raise Unverified("work.energy", "Answers, idle, overhead and unattributed are not what the meter counted.")


def seal_report(report: WorkReport, key: SigningKey) -> Envelope:
    """The signed report. Raises as `check_report`."""
    check_report(report)
    return seal(_statement(report), STATEMENT, key)


def open_report(envelope: Envelope, public_key: bytes) -> WorkReport:
    """The report in an envelope, everything in it checked.

    Raises:
        Unverified: ``work.root`` where the rows do not make the stated root; as `open_sealed`, `read_statement`,
            `check_report`. Invalid: ``work.malformed``, as `check_report`.
    """
    said = read_statement(open_sealed(envelope, public_key), WORK_TYPE)
    try:
        report = _report(said.predicate)
        energy = said.predicate["energy"]
        sealed_root, root = bytes.fromhex(energy["root"]), said.subject_sha256
    except (KeyError, TypeError, ValueError, OverflowError, binascii.Error) as error:
        raise Invalid("work.malformed", "The report lacks a field, or one has another form.") from error
    check_report(report)
    if report.root.hex() != root or said.predicate.get("root") != root or said.subject_name != subject_of(report):
        raise Unverified("work.root", "The report's rows are not those that its root commits to.")
    if report.sealed.root != sealed_root:
        raise Unverified("work.root", "The report's energy is not what its Merkle-sum root commits to.")
    return report


def subject_of(report: WorkReport) -> str:
    """The name of a report's subject."""
    return f"{report.rack}/{report.period.start_us}/{report.period.stop_us}"


def _statement(report: WorkReport) -> bytes:
    metered = report.metered
    predicate = {
        "provider": report.provider,
        "rack": report.rack,
        "model": report.model,
        "start_us": report.period.start_us,
        "stop_us": report.period.stop_us,
        "first_number": report.first_number,
        "answers": len(report),
        "root": report.root.hex(),
        "rows": {name: _whole(report.rows[name]) for name in WHOLE}
        | {name: _bytes(report.rows[name]) for name in DIGESTS},
        "sales": {name: _whole(report.sales[name]) for name in SALE_WHOLE}
        | {name: _bytes(report.sales[name]) for name in SALE_BYTES},
        "energy": {
            "root": report.sealed.root.hex(),
            "start_mj": metered.start_mj,
            "stop_mj": metered.stop_mj,
            "idle_mj": metered.parts_mj[0],
            "overhead_mj": metered.parts_mj[1],
            "unattributed_mj": metered.parts_mj[2],
            "source": metered.source,
            "method": metered.method,
            "parameters": metered.parameters,
            "assumptions": list(metered.assumptions),
        },
    }
    return statement(subject_of(report), report.root.hex(), WORK_TYPE, predicate)


def _report(said: Mapping[str, Any]) -> WorkReport:
    count, energy = _number(said["answers"], ANSWERS_MAX), said["energy"]
    rows = {name: _read_whole(said["rows"][name], count) for name in WHOLE}
    rows |= {name: _read_bytes(said["rows"][name], count, width) for name, width in DIGESTS.items()}
    sales = {name: _read_whole(said["sales"][name], count) for name in SALE_WHOLE}
    sales |= {name: _read_bytes(said["sales"][name], count, width) for name, width in SALE_BYTES.items()}
    parts = tuple(_number(energy[f"{part}_mj"]) for part in ("idle", "overhead", "unattributed"))
    metered = Metered(
        start_mj=_number(energy["start_mj"]),
        stop_mj=_number(energy["stop_mj"]),
        parts_mj=(parts[0], parts[1], parts[2]),
        source=_word(energy["source"]),
        method=_word(energy["method"]),
        parameters=_word(energy["parameters"]),
        assumptions=tuple(_word(sentence) for sentence in energy["assumptions"]),
    )
    period = Period(_number(said["start_us"], INSTANT_MAX), _number(said["stop_us"], INSTANT_MAX))
    provider, rack, model = (_word(said[name]) for name in ("provider", "rack", "model"))
    report = WorkReport(provider, rack, model, period, rows, sales, metered)
    if report.first_number != said["first_number"]:
        raise ValueError("first_number")
    return report


def _whole(column: Column) -> str:
    return b64encode(np.ascontiguousarray(column, dtype="<i8").tobytes()).decode()


def _bytes(rows: Column) -> str:
    return b64encode(np.ascontiguousarray(rows, dtype=np.uint8).tobytes()).decode()


def _read_whole(text: object, count: int) -> Column:
    return np.frombuffer(_raw(text, count * 8), dtype="<i8").astype(np.int64)


def _read_bytes(text: object, count: int, width: int) -> Column:
    return np.frombuffer(_raw(text, count * width), dtype=np.uint8).reshape(count, width)


def _raw(text: object, length: int) -> bytes:
    raw = b64decode(_word(text, 64 * 2**20), validate=True)
    if len(raw) != length:
        raise ValueError("length")
    return raw


def _number(value: object, most: int = 2**63 - 1) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError(value)
    return value


def _word(value: object, most: int = 10_000) -> str:
    if not isinstance(value, str) or len(value) > most:
        raise ValueError(value)
    return value

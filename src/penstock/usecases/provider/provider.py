"""A provider, running: its desk, its meter, and a report every interval. Its folder is all it owns."""

from __future__ import annotations

import json
import os
import secrets
import threading
from contextlib import AbstractContextManager, ExitStack
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from penstock.compute.attribution import Rule
from penstock.compute.energy_receipt import receipt_of
from penstock.compute.work import WorkReport, open_report
from penstock.connect.inference.engine import Engine
from penstock.connect.inference.gate import Gate
from penstock.connect.inference.meter import Meter
from penstock.connect.inference.power import Power, StatedModel, find_power
from penstock.connect.inference.workbook import ReportRow, Workbook
from penstock.errors import NotFound, PenstockError, Unavailable
from penstock.journal.segment import Columns
from penstock.keys import SigningKey, read_key
from penstock.keys.dsse import Envelope
from penstock.period import HOUR_US, SECOND_US, Period
from penstock.usecases.provider.desk import Clock, Desk, Limits
from penstock.usecases.provider.offer import Load, Offer, sign_quote
from penstock.usecases.provider.report import Keys, PowerWords, fitted, make_report, samples_of, write_report

TRIAL: Final = ("What one thousand tokens draw is tried before anything is quoted.",) * 16
_LOOK_S: Final = 0.25


class Provider(AbstractContextManager["Provider"]):
    """Sells ``engine``'s answers from ``folder`` under ``offer`` while it is open; ``clock`` tells the time [us].

    ``offer`` may be replaced at any time: prices and the power behind them change. The caller serves `desk` through a
    door. With ``reports`` False intervals are closed by `close_interval` alone. ``quote_clock`` is for a replay, whose
    work has another time than those who read its quotes.
    """

    def __init__(
        self,
        folder: Path,
        engine: Engine,
        offer: Offer,
        clock: Clock,
        *,
        gate: Gate | None = None,
        power: Power | None = None,
        limits: Limits | None = None,
        reports: bool = True,
        quote_clock: Clock | None = None,
    ) -> None:
        self.folder, self.offer, self.clock = folder, offer, clock
        self._quote_clock = quote_clock or clock
        self.keys = open_keys(folder)
        self.failure: PenstockError | None = None
        self._power = power or find_power(offer.idle_mw, offer.busy_core_mw)
        self._stack, self._stop, self._close_lock = ExitStack(), threading.Event(), threading.Lock()
        self._reports = reports
        self._newest: tuple[int, WorkReport] | None = None
        self.workbook = self._stack.enter_context(Workbook(folder))
        self.meter = Meter(self._power, self.workbook, clock)
        self.desk = Desk(engine, self.workbook, offer.price, clock, gate, limits)
        self._load = Load(0, 0)

    def __enter__(self) -> Self:
        self._stack.enter_context(self.meter)
        self._stack.enter_context(self.desk)
        self._load = self._trial()
        if self._reports:
            thread = threading.Thread(target=self._close_in_time, name="reports", daemon=True)
            thread.start()
            self._stack.callback(thread.join)
            self._stack.callback(self._stop.set)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @property
    def model(self) -> str:
        """The model that is sold."""
        return self.desk.engine.models()[0]

    def set_offer(self, offer: Offer) -> None:
        """New terms, from the next request on."""
        self.offer, self.desk.price = offer, offer.price

    def quote(self) -> bytes:
        """The offer as a signed quote, with the energy of an answer at the load there is."""
        return sign_quote(self.offer, self.model, self._load, self._quote_clock(), self.keys.work)

    def reports(self, after: int, most: int = 16) -> list[ReportRow]:
        """Reports behind number ``after`` (-1 for all), in order."""
        return self.workbook.reports(after, most)

    def receipt(self, payment_id: bytes) -> bytes:
        """The signed energy receipt of the answer that a payment bought: a DSSE envelope.

        Raises:
            NotFound: ``workbook.no_answer``. Unavailable: ``receipt.not_sealed`` until its interval is.
        """
        number, told = self._told(payment_id)
        report = self._report(told)
        carbon = {"carbon_mg_per_kwh": self.offer.carbon_mg_per_kwh, "matched_bp": self.offer.matched_bp}
        return receipt_of(report, number - told.first_number, self.keys.work, carbon).to_json()

    def report_with(self, payment_id: bytes) -> bytes:
        """The signed report that has the answer which a payment bought: a DSSE envelope; raises as `receipt`."""
        return _envelope(self._told(payment_id)[1]).to_json()

    def _told(self, payment_id: bytes) -> tuple[int, ReportRow]:
        number = self.workbook.number_of(payment_id)
        told = self.workbook.report_of(number)
        if told is None:
            hint = f"Ask again in {self.offer.interval_s} seconds."
            raise Unavailable("receipt.not_sealed", "The interval of this answer is not sealed yet.", hint=hint)
        return number, told

    def close_interval(self) -> ReportRow | None:
        """Report what was done since the last report, up to now: a report for each hour begun, the newest returned;
        None where nothing was drawn or answered."""
        with self._close_lock, self.desk.standing_still():
            stop_us = self.meter.look(after_us=self.desk.last_done_us).at_us
            self.meter.keep()
            last, first = self.workbook.last_report(), self.workbook.first_sample()
            start_us = last.stop_us if last else (first.at_us if first else stop_us)
            samples = self.workbook.samples(start_us, stop_us)
            made = [self._close(samples, Period(*piece)) for piece in hours_of(start_us, stop_us)]
            self.desk.told_us = stop_us
        return next((row for row in reversed(made) if row), None)

    def _close(self, samples: Columns, period: Period) -> ReportRow | None:
        last = self.workbook.last_report()
        told = last.first_number + last.answers if last else 0
        answers = self.workbook.answers(told, period.stop_us)
        inside = samples_of(samples, period)
        if not len(answers["number"]) and inside["position_mj"][-1] == inside["position_mj"][0]:
            return None
        report = make_report(self.offer, self.model, period, answers, inside, self._words(answers, inside))
        written = write_report(report, self.offer, self.keys, last.written if last else None)
        row = ReportRow(last.number + 1 if last else 0, period.start_us, period.stop_us, told, len(report), written)
        self.workbook.keep_report(row)
        self._load = load_of(report, self.offer, self._load)
        return row

    def _words(self, answers: Columns, samples: Columns) -> PowerWords:
        """By which rule an interval is shared: with the stated idle draw, or else with what the meter says."""
        power = self._power
        if isinstance(power, StatedModel):
            rule = Rule(idle_mw=self.offer.idle_mw, pue_bp=self.offer.pue_bp)
        else:
            rule = fitted(answers, samples, Rule(pue_bp=self.offer.pue_bp))
        return PowerWords(power.source, dict(power.parameters), power.assumptions, rule)

    def _report(self, told: ReportRow) -> WorkReport:
        """A report as written; the newest one asked for is kept, since its receipts are asked for together."""
        if self._newest is None or self._newest[0] != told.number:
            self._newest = told.number, open_report(_envelope(told), self.keys.work.public)
        return self._newest[1]

    def _trial(self) -> Load:
        """What a thousand tokens draw, tried: a quote needs it before the first answer is sold."""
        engine = self.desk.engine
        texts = TRIAL[: max(1, engine.context_tokens // 8)]
        before = self.meter.look()
        _, used = engine.embed(texts)
        drawn_mj = self.meter.look().position_mj - before.position_mj
        return Load(max(1, drawn_mj * 1_000 // max(used.prompt_tokens, 1)), 0)

    def _close_in_time(self) -> None:
        """Close every interval at its end, and at the hour's: certificates are by the hour."""
        due_us = self._due_us()
        while not self._stop.wait(_LOOK_S):
            if self.clock() < due_us:
                continue
            try:
                self.close_interval()
                self.failure = None
            except PenstockError as error:
                self.failure = error
            due_us = self._due_us()
        self.close_interval()

    def _due_us(self) -> int:
        now_us = self.clock()
        return min(now_us + self.offer.interval_s * SECOND_US, (now_us // HOUR_US + 1) * HOUR_US)


def hours_of(start_us: int, stop_us: int) -> list[tuple[int, int]]:
    """``[start_us, stop_us)`` cut at hours: certificates are by the hour."""
    cuts = [start_us, *range((start_us // HOUR_US + 1) * HOUR_US, stop_us, HOUR_US), stop_us]
    return [(begin, end) for begin, end in pairwise(cuts) if end > begin]


def load_of(report: WorkReport, offer: Offer, before: Load) -> Load:
    """What an interval shows of energy and load; energy as ``before`` where nothing was answered."""
    tokens = int((report.rows["prompt_tokens"] + report.rows["output_tokens"]).sum())
    room_ms = max((report.period.stop_us - report.period.start_us) * offer.accelerators // 1_000, 1)
    busy_bp = min(int(report.rows["time_ms"].sum()) * 10_000 // room_ms, 10_000)
    energy = max(1, report.answers_mj * 1_000 // tokens) if tokens else before.energy_mj_per_1k_tokens
    return Load(energy, busy_bp)


def open_keys(folder: Path) -> Keys:
    """The provider's keys, made at first: files that only their owner reads."""
    return Keys(_key(folder / "work.key"), _key(folder / "meter.key"))


def _key(path: Path) -> SigningKey:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(opened, "w") as file:
            file.write(secrets.token_hex(32) + "\n")
            file.flush()
            os.fsync(file.fileno())
    found = read_key(path.read_bytes(), path.name)
    if not isinstance(found, SigningKey):
        raise NotFound("provider.key", "A provider's keys are Ed25519 keys.", file=path.name)
    return found


def _envelope(told: ReportRow) -> Envelope:
    return Envelope.from_json(json.dumps(json.loads(told.written)["work"]))

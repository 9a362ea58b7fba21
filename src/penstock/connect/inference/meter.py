"""The rack's import meter: a source of power made into one register in millijoules that never goes back.

It goes on over restarts from where it stood. What was drawn while nobody looked is not in it. A counter that fell has
restarted: what it shows by then is counted, and the sample is marked as torn.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final

from penstock.connect.inference.power import Power
from penstock.connect.inference.workbook import Sample, Workbook
from penstock.errors import PenstockError, Unavailable

PERIOD_S: Final = 0.2
_UJ_PER_MJ: Final = 1_000
_BATCH: Final = 25


class Meter(AbstractContextManager["Meter"]):
    """Looks at ``power`` every ``period_s`` in a thread of its own, and keeps what it saw in the workbook."""

    def __init__(self, power: Power, workbook: Workbook, clock: Callable[[], int], period_s: float = PERIOD_S) -> None:
        self.power = power
        self.failure: PenstockError | None = None
        self.period_s = period_s  # taken up when it is opened
        self._workbook, self._clock = workbook, clock
        last = workbook.last_sample()
        self._at_us, self._position_uj = (last.at_us, last.position_mj * _UJ_PER_MJ) if last else (-1, 0)
        self._last_uj = power.read_uj()
        self._kept: list[Sample] = []
        self._torn = last is not None  # between then and now nobody looked
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="meter", daemon=True)

    def __enter__(self) -> Meter:
        self.look()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self.look()
        self.keep()

    @property
    def position_mj(self) -> int:
        """Where the register stood at the last look [mJ]."""
        return self._position_uj // _UJ_PER_MJ

    def look(self, after_us: int = -1) -> Sample:
        """Read the source now, ``after_us`` in any case. Instants go up strictly: a clock that stands is pushed on."""
        with self._lock:
            self._advance()
            self._at_us = max(self._clock(), self._at_us + 1, after_us + 1)
            sample = Sample(self._at_us, self._position_uj // _UJ_PER_MJ, not self._torn)
            self._torn = False
            self._kept.append(sample)
        return sample

    def keep(self) -> None:
        """Write what was seen since the last time."""
        with self._lock:
            kept, self._kept = self._kept, []
        if kept:
            self._workbook.sample(kept)

    def _advance(self) -> None:
        try:
            now_uj = self.power.read_uj()
        except Unavailable as error:
            self.failure, self._torn = error, True
            return
        fell = now_uj < self._last_uj
        self._position_uj += now_uj if fell else now_uj - self._last_uj
        self._torn |= fell
        self._last_uj, self.failure = now_uj, None

    def _run(self) -> None:
        while not self._stop.wait(self.period_s):
            self.look()
            if len(self._kept) >= _BATCH:
                self.keep()

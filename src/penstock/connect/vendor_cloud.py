"""Pull from a vendor's cloud: history from its beginning, then what is new, then what the vendor revised."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from zoneinfo import ZoneInfo

from penstock.connect.field_text import wh_down
from penstock.connect.notebook import Notebook
from penstock.connect.ports import Samples, Sink
from penstock.connect.vendor_dialect import Dialect
from penstock.connect.vendor_history import (
    Row,
    at_path,
    digest_of,
    in_order,
    positions_mj,
    read_rows,
    without_gap,
    write_instant,
)
from penstock.connect.vendor_session import Body, Session
from penstock.errors import Invalid, PenstockError, Refused, Unavailable
from penstock.period import SECOND_US

PAGES_MAX: Final = 1_000
LOOK_BACK_US: Final = 14 * 86_400 * SECOND_US
"""How far back a visit reads again what it has read, since vendors revise their history."""


@dataclass(frozen=True, slots=True)
class System:
    """A system at the cloud, the device and register enrolled for it, and where its history begins."""

    id: str
    device: str
    since_us: int
    channel: int = 0
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))

    def __post_init__(self) -> None:
        if not (self.id.isascii() and self.id.replace("-", "").replace("_", "").isalnum()):
            raise Invalid("connect.system", "A system's id is letters, digits, - and _.", device=self.device)


@dataclass(slots=True)
class _Told:
    """How far a system's history was told: the last instant [us], where the register stood then [mJ], and of each
    window of late the register at its start and what was told of it."""

    through_us: int
    position_mj: int
    windows: dict[str, list[Any]]


class Puller:
    """Visits an account's systems."""

    def __init__(
        self,
        session: Session,
        dialect: Dialect,
        systems: Sequence[System],
        notebook: Notebook,
        sink: Sink,
        now_us: Callable[[], int],
    ) -> None:
        self._session, self._dialect, self._systems = session, dialect, tuple(systems)
        self._notebook, self._sink, self._now_us = notebook, sink, now_us

    def visit(self) -> list[PenstockError]:
        """Read every system up to now; returns what went wrong, system by system.

        What was read of a system stays read; the next visit goes on from there.

        Raises:
            Unavailable: ``connect.full`` from the sink, ``connect.disk``, ``connect.rate_limited``.
            Refused: ``connect.consent_lost``.
        """
        wrong: list[PenstockError] = []
        for system in self._systems:
            try:
                self._catch_up(system, wrong)
            except (Invalid, Unavailable, Refused) as error:
                if error.code in ("connect.full", "connect.disk", "connect.rate_limited", "connect.consent_lost"):
                    raise
                wrong.append(error)
        return wrong

    def _catch_up(self, system: System, wrong: list[PenstockError]) -> None:
        told = self._remembered(system)
        window_us, now_us = self._dialect.history.window_s * SECOND_US, self._now_us()
        settled_us = now_us - self._dialect.history.settle_s * SECOND_US
        first_us = max(system.since_us, told.through_us - LOOK_BACK_US) // window_us * window_us
        for start_us in range(first_us, settled_us, window_us):
            stop_us = start_us + window_us
            rows, origin = self._window(system, start_us, min(stop_us, settled_us), wrong)
            self._revised(system, told, start_us, rows, origin)
            if not self._news(system, told, start_us, rows, origin):
                return
            if not rows and stop_us < now_us - LOOK_BACK_US:  # nothing was there, nothing comes any more
                told.through_us = max(told.through_us, stop_us)
                self._remember(system, told)

    def _window(
        self, system: System, start_us: int, stop_us: int, wrong: list[PenstockError]
    ) -> tuple[list[Row], bytes]:
        """The rows after a window's start up to its stop, and what they were read from; bad rows go to ``wrong``."""
        bodies = self._pages(system, start_us, stop_us)
        read: list[Row] = []
        for body in bodies:
            rows, errors = read_rows(body.value, self._dialect, system.zone, read[-1].at_us if read else 0)
            read += rows
            wrong += errors
        origin = hashlib.sha256(b"".join(body.raw for body in bodies)).digest()
        least_us = max(start_us, system.since_us)
        return [row for row in in_order(read) if least_us < row.at_us <= stop_us], origin

    def _pages(self, system: System, start_us: int, stop_us: int) -> list[Body]:
        """All pages of an answer. A step more is asked for, since clouds differ over whether the end is in."""
        history, paging = self._dialect.history, self._dialect.paging
        asked = {
            history.start: write_instant(start_us, self._dialect, system.zone),
            history.stop: write_instant(stop_us + history.step_s * SECOND_US, self._dialect, system.zone),
        }
        path = history.path.format(system=system.id)
        bodies: list[Body] = []
        page: str | None = "1" if paging.kind == "page" else ""
        while page is not None:
            bodies.append(self._session.get(path, asked | ({paging.asked: page} if page else {})))
            if len(bodies) > PAGES_MAX:
                raise Invalid("connect.paging", "The cloud's pages have no end.", device=system.device)
            page = self._next_page(bodies[-1].value, page, len(bodies))
        return bodies

    def _next_page(self, value: Any, page: str, read: int) -> str | None:
        told = at_path(value, self._dialect.paging.told)
        if self._dialect.paging.kind == "page":
            if type(told) is not int:
                raise Invalid("connect.paging", "The cloud does not say how many pages there are.")
            return str(read + 1) if read < told else None
        if told in (None, ""):
            return None
        if not isinstance(told, str) or told == page:
            raise Invalid("connect.paging", "The cloud's pages lead nowhere.")
        return told

    def _revised(self, system: System, told: _Told, start_us: int, rows: list[Row], origin: bytes) -> None:
        """Tell a window again where the cloud now says otherwise about what was told of it."""
        noted = told.windows.get(str(start_us))
        before = [row for row in rows if row.at_us <= told.through_us]
        if noted is None or digest_of(before) == noted[1]:
            return
        self._tell(system, before, positions_mj(before, noted[0], self._dialect), origin)
        noted[1] = digest_of(before)
        self._remember(system, told)

    def _news(self, system: System, told: _Told, start_us: int, rows: list[Row], origin: bytes) -> bool:
        """Tell what is new in a window; False where a missing interval is waited for."""
        news = [row for row in rows if row.at_us > told.through_us]
        taken = without_gap(news, told.through_us, self._dialect, self._now_us())
        if taken:
            positions = positions_mj(taken, told.position_mj, self._dialect)
            self._tell(system, taken, positions, origin)
            noted = told.windows.setdefault(str(start_us), [told.position_mj, ""])
            told.through_us, told.position_mj = taken[-1].at_us, positions[-1]
            noted[1] = digest_of([row for row in rows if row.at_us <= told.through_us])
            self._remember(system, told)
        return len(taken) == len(news)

    def _tell(self, system: System, rows: Sequence[Row], positions: Sequence[int], origin: bytes) -> None:
        """Told before it is noted: after a crash the same rows give the same positions again."""
        if not rows:
            return
        times, powers = tuple(row.at_us for row in rows), tuple(row.power_mw for row in rows)
        told_wh = tuple(wh_down(position) for position in positions)
        source = f"vendor/{self._dialect.name}"
        self._sink.take([Samples(source, system.device, system.channel, times, told_wh, powers, origin)])

    def _remembered(self, system: System) -> _Told:
        noted = self._notebook.get(_entry(self._dialect, system))
        return _Told(**noted) if noted else _Told(0, 0, {})

    def _remember(self, system: System, told: _Told) -> None:
        oldest_us = told.through_us - LOOK_BACK_US - self._dialect.history.window_s * SECOND_US
        told.windows = {at: noted for at, noted in told.windows.items() if int(at) >= oldest_us}
        entry = {"through_us": told.through_us, "position_mj": told.position_mj, "windows": told.windows}
        self._notebook.put({_entry(self._dialect, system): entry})


def _entry(dialect: Dialect, system: System) -> str:
    return f"vendor {dialect.name} {system.id} {system.device} {system.channel}"

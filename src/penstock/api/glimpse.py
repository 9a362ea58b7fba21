"""What the door shows of a workspace, worked out once for each state of the record and kept until a fact is added."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

from penstock.journal.laws import breaches
from penstock.journal.words import TITLE_STATES
from penstock.usecases import inspect
from penstock.usecases.compute_report.sales import sales
from penstock.usecases.compute_report.work import racks
from penstock.usecases.fleet import fleet
from penstock.usecases.publish import Publication
from penstock.usecases.registry.certificate_rows import find
from penstock.usecases.registry.selection import Selection
from penstock.usecases.workspace import Workspace

T = TypeVar("T")
Row = dict[str, Any]


class Glimpse:
    """A workspace as the door reads it: committed state only. Threads may share it."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.publication = Publication(workspace.store)
        self._kept: dict[str, tuple[int, object]] = {}
        self._lock = threading.Lock()

    def devices(self) -> list[Row]:
        """As `inspect.devices`."""
        return self._once("devices", lambda: inspect.devices(self.workspace))

    def metering(self) -> Row:
        """As `inspect.metering`."""
        return self._once("metering", lambda: inspect.metering(self.workspace))

    def refusals(self) -> list[Row]:
        """As `inspect.refusals`."""
        return self._once("refusals", lambda: inspect.refusals(self.workspace))

    def fleet(self) -> Row:
        """As `fleet.fleet`."""
        return self._once("fleet", lambda: fleet(self.workspace))

    def certificates(self, holder: str, after: int, limit: int) -> tuple[int, list[Row]]:
        """How many certificates there are, of one holder or of all, and ``limit`` of them after ``after`` others.

        Raises:
            NotFound: ``account.unknown``.
        """
        return find(self.workspace, holder, Selection(), TITLE_STATES, after, limit)

    def certificate_totals(self) -> Row:
        """As `inspect.certificate_totals`."""
        return self._once("totals", lambda: inspect.certificate_totals(self.workspace))

    def deals(self) -> list[Row]:
        """As `inspect.deals`."""
        return self._once("deals", lambda: inspect.deals(self.workspace))

    def periods(self, deal: str) -> list[Row]:
        """As `inspect.deal_periods`."""
        return self._once(f"periods {deal}", lambda: inspect.deal_periods(self.workspace, deal))

    def balances(self, deal: str) -> dict[str, int]:
        """As `inspect.balances`."""
        return self._once(f"balances {deal}", lambda: inspect.balances(self.workspace, deal))

    def compute_racks(self) -> list[Row]:
        """As `work.racks`."""
        return self._once("compute racks", lambda: racks(self.workspace))

    def sales(self) -> Row:
        """As `sales.sales`."""
        return self._once("sales", lambda: sales(self.workspace))

    def breaches(self) -> int:
        """How many findings the five laws have on the books."""
        return self._once("breaches", lambda: self.workspace.read(lambda world: len(breaches(world.books))))

    def _once(self, name: str, work: Callable[[], T]) -> T:
        """``work``'s result for the present size of the record; whoever asks meanwhile waits for the same one."""
        with self._lock:
            size = self.workspace.store.size()
            kept = self._kept.get(name)
            if kept is None or kept[0] != size:
                kept = self._kept[name] = (size, work())
            return cast(T, kept[1])

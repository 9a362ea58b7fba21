"""Standing questions: what is new since I last asked, in logs, blocks or waiting transactions."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from penstock.chain.rpc_params import LogParams
from penstock.errors import NotFound

FILTERS_MAX: Final = 1_024


@dataclass(slots=True)
class Filter:
    """A standing question; ``seen`` is the last block it was told about, ``logs`` None for new blocks."""

    seen: int
    logs: LogParams | None


class Filters:
    """The open filters; beyond `FILTERS_MAX` the one longest unused is dropped."""

    def __init__(self) -> None:
        self._open: OrderedDict[int, Filter] = OrderedDict()
        self._made = 0

    def add(self, head: int, logs: LogParams | None) -> int:
        """Open a filter at block ``head``; its id."""
        self._made += 1
        self._open[self._made] = Filter(head, logs)
        if len(self._open) > FILTERS_MAX:
            self._open.popitem(last=False)
        return self._made

    def get(self, filter_id: int) -> Filter:
        """The filter.

        Raises:
            NotFound: ``rpc.filter`` for an id never given or dropped.
        """
        if filter_id not in self._open:
            raise NotFound("rpc.filter", "filter not found")
        self._open.move_to_end(filter_id)
        return self._open[filter_id]

    def remove(self, filter_id: int) -> bool:
        """Close the filter; whether it was open."""
        return self._open.pop(filter_id, None) is not None

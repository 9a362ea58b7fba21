"""Which requests a rack answers: first come, first served, inside matched energy and its own time.

The rack runs in an hour only if the energy certified for that hour covers its idle
draw; it then answers the longest run of requests, in order of arrival, that fits
both the energy and the accelerators' time. What does not fit is turned away and
counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from penstock.journal.segment import Column
from penstock.period import HOUR_US
from penstock.units import MJ_PER_WH

MS_PER_HOUR: Final = 3_600_000


@dataclass(frozen=True, slots=True)
class RackModel:
    """How a modelled rack draws power and works; every figure here is an assumption, printed as such.

    ``idle_w`` [W] while it runs, ``active_mj_per_token`` [mJ] on top, ``accelerators`` of
    ``time_us_per_token`` accelerator-microseconds a token.
    """

    idle_w: int
    active_mj_per_token: int
    accelerators: int
    time_us_per_token: int

    @property
    def idle_mj_per_hour(self) -> int:
        """Idle energy of one hour [mJ]."""
        return self.idle_w * MJ_PER_WH

    def time_ms(self, tokens: Column) -> Column:
        """Accelerator time of each answer [ms], rounded up to whole milliseconds."""
        return -(-tokens * self.time_us_per_token // 1_000)


@dataclass(frozen=True, slots=True, eq=False)
class Service:
    """What a rack did: ``answered`` marks requests (bool), the other columns are one row an hour.

    ``import_wh`` is what its modelled meter counts [Wh]: the energy used, rounded up to whole Wh.
    """

    answered: Column
    hour_us: Column
    import_wh: Column
    refused_energy: int
    refused_capacity: int


def serve(arrived_us: Column, tokens: Column, hour_us: Column, budget_wh: Column, model: RackModel) -> Service:
    """Answer requests hour by hour.

    Args:
        arrived_us, tokens: requests in order of arrival.
        hour_us, budget_wh: hours in order with the energy matched in each [Wh]; other hours have none.
        model: the rack.
    """
    first = np.searchsorted(arrived_us, hour_us)
    stop = np.searchsorted(arrived_us, hour_us + HOUR_US)
    cumulative = np.r_[0, np.cumsum(tokens, dtype=np.int64)]
    tokens_energy = np.maximum(budget_wh * MJ_PER_WH - model.idle_mj_per_hour, -1) // model.active_mj_per_token
    within_energy = _run_stop(cumulative, first, stop, tokens_energy)
    cumulative_ms = np.r_[0, np.cumsum(model.time_ms(tokens), dtype=np.int64)]
    hour_ms = np.full(len(hour_us), model.accelerators * MS_PER_HOUR)
    last = np.minimum(within_energy, _run_stop(cumulative_ms, first, stop, hour_ms))
    refused_capacity = int(np.sum(within_energy - last))
    return Service(
        answered=_mark(len(tokens), first, last),
        hour_us=hour_us,
        import_wh=_metered_wh(cumulative[last] - cumulative[first], model),
        refused_energy=len(tokens) - int(np.sum(last - first)) - refused_capacity,
        refused_capacity=refused_capacity,
    )


def _run_stop(cumulative: Column, first: Column, stop: Column, most: Column) -> Column:
    """Where the longest run from ``first`` ends whose tokens, or time, sum to no more than ``most``."""
    end = np.searchsorted(cumulative, cumulative[first] + most, side="right") - 1
    return np.clip(end, first, stop)


def _mark(count: int, first: Column, last: Column) -> Column:
    steps = np.zeros(count + 1, dtype=np.int64)
    np.add.at(steps, first, 1)
    np.add.at(steps, last, -1)
    return np.cumsum(steps[:-1]) > 0


def _metered_wh(tokens: Column, model: RackModel) -> Column:
    used_mj = np.where(tokens > 0, tokens * model.active_mj_per_token + model.idle_mj_per_hour, 0)
    return -(-used_mj // MJ_PER_WH)

"""Prometheus pages, one after the other, as samples of a meter: energy, engine steps and tokens between two visits.

Every series is followed on its own. A counter that fell was reset: what it says by then is counted, and the sample is
marked, since what it had counted before is lost. A value that is not a number, or not there, marks its sample and the
one in which it comes back, which then holds all that was counted meanwhile. A visit too long after the last marks its
sample; one whose clock went back is passed over, and the next is marked. So nothing counted is dropped, and nothing
doubtful is laid on a request: attribution leaves marked samples unattributed.

Names as their exporters say: vLLM (docs/design/metrics.md), NVIDIA dcgm-exporter, Kepler, or any with its unit.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from penstock.connect.field_text import energy_mj_down
from penstock.connect.prometheus import ENERGY_UNITS, series_of
from penstock.errors import Invalid
from penstock.journal.segment import Column, Columns

STEPS: Final = "vllm:iteration_tokens_total_count"
"""Steps of the engine: vLLM's histogram of tokens a step has been filled as often."""
PROMPT_TOKENS: Final = "vllm:prompt_tokens_total"
OUTPUT_TOKENS: Final = "vllm:generation_tokens_total"
COUNTED: Final = {"steps": STEPS, "prompt_tokens": PROMPT_TOKENS, "output_tokens": OUTPUT_TOKENS}

Series = Mapping[str, int | None]
"""A metric's value by series, None where it is not a number: energy [mJ], else a count."""


@dataclass(frozen=True, slots=True)
class Scrape:
    """What one visit found: the metrics asked for, by name."""

    at_us: int
    metrics: Mapping[str, Series]


@dataclass(slots=True)
class Followed:
    """A metric's series as last known, and which of them the last visit found."""

    known: dict[str, int] = field(default_factory=dict)
    found: frozenset[str] = frozenset()

    def count(self, now: Series) -> tuple[int, bool]:
        """What the metric counted since the last visit, and whether that can be trusted."""
        counted, whole = 0, True
        here = {name: value for name, value in now.items() if value is not None}
        for name, value in here.items():
            before = self.known.get(name, value)
            whole = whole and value >= before and (name in self.found or name not in self.known)
            counted += value - before if value >= before else value
        whole = whole and self.found <= here.keys()
        self.known.update(here)
        self.found = frozenset(here)
        return counted, whole


def scrape_of(text: str, at_us: int, energy: Sequence[str], units: Mapping[str, str] = ENERGY_UNITS) -> Scrape:
    """The page's energy counters named in ``energy``, and vLLM's steps and tokens, by series.

    Raises:
        Invalid: ``connect.malformed``, ``connect.series`` for a series told twice, ``connect.metric`` for a counter
            whose unit ``units`` does not know, ``connect.value`` for a counter below 0 or beyond any register.
    """
    for metric in energy:
        if metric not in units:
            raise Invalid("connect.metric", "The unit of this counter is not known.", metric=metric)
    of_energy = {metric: _series(text, metric, units[metric]) for metric in energy}
    return Scrape(at_us, {**of_energy, **{metric: _series(text, metric, None) for metric in COUNTED.values()}})


def samples_of(scrapes: Sequence[Scrape], meter: Sequence[str], late_us: int, parts: Sequence[str] = ()) -> Columns:
    """Samples between visits, one row a visit after the first.

    Args:
        scrapes: visits in the order in which they came.
        meter: the counters that are the meter together. parts: those of IT inside it, where the meter counts more.
        late_us: how long after the last a visit may come before its sample is late [us].

    Returns columns ``start_us``, ``stop_us``, ``meter_mj``, ``good``, with ``parts`` ``it_mj``, and where a page told
    them ``steps``, ``prompt_tokens``, ``output_tokens``. A sample whose parts say more than the meter is marked; they
    are then cut to it.

    Raises:
        Invalid: ``connect.scrapes`` with less than two visits in order, or none of the meter's counters in any.
    """
    rows: list[tuple[int, ...]] = []
    followed = {metric: Followed() for metric in (*meter, *parts, *COUNTED.values())}
    last_us, straight = -1, True
    for scrape in scrapes:
        if last_us >= 0 and scrape.at_us <= last_us:
            straight = False
            continue
        counts = {metric: one.count(scrape.metrics.get(metric, {})) for metric, one in followed.items()}
        if last_us >= 0:
            rows.append(_row(last_us, scrape.at_us, counts, (meter, parts), straight, late_us))
        last_us, straight = scrape.at_us, True
    if not rows or not any(followed[metric].known for metric in meter):
        raise Invalid("connect.scrapes", "Samples take two visits in order that find the meter's counters.")
    names = ("start_us", "stop_us", "meter_mj", "it_mj", "good", *COUNTED)
    columns: dict[str, Column] = dict(zip(names, np.array(rows, dtype=np.int64).T, strict=True))
    columns["good"] = columns["good"].astype(bool)
    untold = [*([] if parts else ["it_mj"]), *(name for name, metric in COUNTED.items() if not followed[metric].known)]
    return {name: column for name, column in columns.items() if name not in untold}


def _row(
    start_us: int,
    stop_us: int,
    counts: Mapping[str, tuple[int, bool]],
    energy: tuple[Sequence[str], Sequence[str]],
    straight: bool,
    late_us: int,
) -> tuple[int, ...]:
    meter_mj, it_mj = (sum(counts[metric][0] for metric in metrics) for metrics in energy)
    good = straight and stop_us - start_us <= late_us and it_mj <= meter_mj
    good = good and all(counts[metric][1] for metrics in energy for metric in metrics)
    return (
        start_us,
        stop_us,
        meter_mj,
        min(it_mj, meter_mj),
        int(good),
        *(counts[name][0] for name in COUNTED.values()),
    )


def _series(text: str, metric: str, unit: str | None) -> Series:
    found: dict[str, int | None] = {}
    for sample in series_of(text, metric, ()):
        name = "\0".join(f"{label}\1{value}" for label, value in sorted(sample.labels.items()))
        if name in found:
            raise Invalid("connect.series", "The page tells one series twice.", metric=metric)
        found[name] = _value(sample.value, unit)
    return found


def _value(value: float, unit: str | None) -> int | None:
    if not math.isfinite(value):
        return None
    if value < 0:
        raise Invalid("connect.value", "A counter is never below 0.")
    return energy_mj_down(value, unit) if unit else int(value)

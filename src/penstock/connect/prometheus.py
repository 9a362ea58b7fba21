"""Prometheus scrape: energy counters of racks, nodes and accelerators, over HTTP.

A rack's register is the sum of its series, each followed on its own through restarts, as the query language sums
rates. Text format 0.0.4 (prometheus.io, "Exposition formats"); the metrics and their units as their exporters say.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import httpx
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from penstock.connect.counter import Standing, count_on
from penstock.connect.field_text import energy_mj_down, power_mw_down, wh_down
from penstock.connect.notebook import Notebook
from penstock.connect.ports import NO_POWER, Samples, Sink
from penstock.errors import Invalid, Unavailable

ENERGY_UNITS: Final = {
    "DCGM_FI_DEV_TOTAL_ENERGY_CONSUMPTION": "mJ",  # NVIDIA dcgm-exporter, etc/default-counters.csv
    "kepler_node_cpu_joules_total": "J",  # Kepler, docs/user/metrics.md: CPU zones of the node, no accelerators
    "kepler_node_cpu_active_joules_total": "J",
    "kepler_node_cpu_idle_joules_total": "J",
}
"""Energy counters by name. vLLM exports tokens and times, but no energy: its rack is read through one of these."""
POWER_UNITS: Final = {"DCGM_FI_DEV_POWER_USAGE": "W", "kepler_platform_watts": "W", "kepler_node_cpu_watts": "W"}
"""Power gauges by name."""

BODY_MAX: Final = 16 * 2**20
LINE_MAX: Final = 8_192
SERIES_MAX: Final = 4_096
ACCEPT: Final = {"Accept": "text/plain;version=0.0.4"}


@dataclass(frozen=True, slots=True)
class Target:
    """What to scrape for one register of one device.

    Attributes:
        url: the metrics' address. device, channel: whose register.
        energy: counter's name. unit: its unit, where `ENERGY_UNITS` does not know the name.
        power: gauge's name, empty for none. labels: only series with these labels are summed.
    """

    url: str
    device: str
    energy: str
    channel: int = 0
    unit: str = ""
    power: str = ""
    labels: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if not (self.unit or self.energy in ENERGY_UNITS):
            hint = f"Give its unit, or take one of {', '.join(ENERGY_UNITS)}."
            raise Invalid("connect.metric", "The unit of this counter is not known.", hint=hint, metric=self.energy)
        if self.power and self.power not in POWER_UNITS:
            raise Invalid("connect.metric", "The unit of this gauge is not known.", metric=self.power)


class Scraper:
    """Visits its targets, follows their counters and hands one sample of each to the sink."""

    def __init__(
        self, targets: Sequence[Target], notebook: Notebook, sink: Sink, client: httpx.Client, now_us: Callable[[], int]
    ) -> None:
        self._targets, self._notebook, self._sink = tuple(targets), notebook, sink
        self._client, self._now_us = client, now_us

    def visit(self) -> list[Invalid | Unavailable]:
        """Scrape every target once; returns what went wrong, target by target: the others are taken all the same.

        Raises:
            Unavailable: ``connect.full`` from the sink, ``connect.disk``; the next visit makes up for it.
        """
        wrong: list[Invalid | Unavailable] = []
        for target in self._targets:
            try:
                text = fetch(self._client, target.url)
                standings, power_mw = read(text, target, self._standings(target))
            except (Invalid, Unavailable) as error:
                wrong.append(error)
                continue
            self._keep(target, standings)
            self._sink.take([self._samples(target, standings, power_mw)])
        return wrong

    def _standings(self, target: Target) -> dict[str, Standing]:
        noted = self._notebook.get(_entry(target)) or {}
        return {series: Standing(*figures) for series, figures in noted.items()}

    def _keep(self, target: Target, standings: Mapping[str, Standing]) -> None:
        """Before the sink has it: a sample lost is made up for by the next, a position taken twice is not."""
        noted = {series: [standing.base_mj, standing.last_mj] for series, standing in standings.items()}
        self._notebook.put({_entry(target): noted})

    def _samples(self, target: Target, standings: Mapping[str, Standing], power_mw: int) -> Samples:
        position_wh = wh_down(sum(standing.position_mj for standing in standings.values()))
        return Samples("prometheus", target.device, target.channel, (self._now_us(),), (position_wh,), (power_mw,))


def fetch(client: httpx.Client, url: str) -> str:
    """The page at ``url``, of bounded size.

    Raises:
        Unavailable: ``connect.unreachable`` when it does not answer with 200.
        Invalid: ``connect.too_large`` over `BODY_MAX`, ``connect.malformed`` when it is no UTF-8 text.
    """
    body = bytearray()
    try:
        with client.stream("GET", url, headers=ACCEPT) as response:
            if response.status_code != httpx.codes.OK:
                raise Unavailable("connect.unreachable", f"The exporter answered {response.status_code}.")
            for part in response.iter_bytes():
                body += part
                if len(body) > BODY_MAX:
                    raise Invalid("connect.too_large", f"The exporter's page is over {BODY_MAX:,} bytes.")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise Unavailable("connect.unreachable", "The exporter does not answer.") from error
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise Invalid("connect.malformed", "The exporter's page is no UTF-8 text.") from None


def read(text: str, target: Target, standings: Mapping[str, Standing]) -> tuple[dict[str, Standing], int]:
    """Where each series of the target now stands, those that are gone as they stood, and the summed power [mW].

    Raises:
        Invalid: ``connect.malformed``, ``connect.value``; ``connect.series`` for none, too many, or one told twice.
    """
    unit = target.unit or ENERGY_UNITS[target.energy]
    found: dict[str, int] = {}
    for sample in series_of(text, target.energy, target.labels):
        name = _series(sample.labels)
        if name in found:
            raise Invalid("connect.series", "The page tells one series twice.", device=target.device)
        found[name] = energy_mj_down(sample.value, unit)
    if not found:
        raise Invalid("connect.series", "No series of the page is the target's.", device=target.device)
    followed = {name: _follow(standings, name, now_mj) for name, now_mj in found.items()}
    if len(standings.keys() | followed.keys()) > SERIES_MAX:
        raise Invalid("connect.series", f"A target has at most {SERIES_MAX:,} series.", device=target.device)
    return {**standings, **followed}, _power_mw(text, target)


def _follow(standings: Mapping[str, Standing], name: str, now_mj: int) -> Standing:
    """A series that joins a known target counts from its first sight: its past was not in the target's register."""
    if standings and name not in standings:
        return Standing(-now_mj, now_mj)
    return count_on(standings.get(name), now_mj, restarts=True)


def series_of(text: str, metric: str, labels: Sequence[tuple[str, str]]) -> Iterator[Sample]:
    """The metric's samples that carry ``labels``; only its own lines are parsed, so the rest of a page costs nothing.

    Raises:
        Invalid: ``connect.malformed`` for a line that is too long or that the format does not know.
    """
    own = (metric + "{", metric + " ", metric + "\t")
    lines = [line for line in text.split("\n") if line.startswith(own)]  # no other separator ends a line here
    if any(len(line) > LINE_MAX for line in lines) or len(lines) > SERIES_MAX:
        raise Invalid("connect.malformed", "The page has lines too long or too many.")
    try:
        families = list(text_string_to_metric_families("\n".join(lines) + "\n"))
    except (ValueError, IndexError):
        raise Invalid("connect.malformed", "The page is not in the text format.", metric=metric) from None
    for sample in (sample for family in families for sample in family.samples):
        if all(sample.labels.get(name) == value for name, value in labels):
            yield sample


def _power_mw(text: str, target: Target) -> int:
    if not target.power:
        return NO_POWER
    unit = POWER_UNITS[target.power]
    told = [power_mw_down(sample.value, unit) for sample in series_of(text, target.power, target.labels)]
    return sum(told) if told else NO_POWER


def _series(labels: Mapping[str, str]) -> str:
    """A short, stable name of a series: labels may be long, and many."""
    text = "\0".join(f"{name}\1{value}" for name, value in sorted(labels.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _entry(target: Target) -> str:
    return f"prometheus {target.device} {target.channel}"

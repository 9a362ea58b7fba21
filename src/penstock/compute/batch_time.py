"""Requests laid over a meter's samples: what was done in each, who was there, and each request's part of it.

Work is spread evenly over a phase, as a whole number of weight a microsecond, so sums do not depend on the order of
requests. What a phase did up to an instant is then a straight line; its sum over all requests is known at every
sample's edge from where lines begin, bend and end. So cost grows with requests and samples, not with their product.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from penstock.compute.batch_kernel import bent, places_of, values
from penstock.errors import Invalid
from penstock.journal.segment import Column, Columns

REQUEST_COLUMNS: Final = ("arrived_us", "first_us", "done_us", "prompt_tokens", "output_tokens")
SAMPLE_COLUMNS: Final = ("start_us", "stop_us", "meter_mj")
MASS_BITS: Final = 61
SHARE_BITS: Final = 59
FINE_BITS_MAX: Final = 24

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """The meter's samples without gaps: n + 1 edges [us], n figures [mJ]; a gap between samples is a cell of no energy.

    ``it_mj`` and ``steps`` are None where nobody counted them.
    """

    edges_us: Ints
    meter_mj: Ints
    good: NDArray[np.bool_]
    it_mj: Ints | None
    steps: Floats | None


@dataclass(frozen=True, slots=True, eq=False)
class Work:
    """Requests on the cells: instants [us], the cell of each, weight a microsecond of both phases [nJ << shift].

    ``at_us``, ``places`` are (3, n): start, first token, done. ``rates`` is (2, n): prefill, decode. By cell:
    ``mass`` [nJ << shift], ``present_us`` (two requests for a second are two seconds), ``empty_us``, and ``steps`` as
    counted or else estimated.
    """

    at_us: Ints
    places: Ints
    rates: Ints
    shift: int
    mass: Ints
    present_us: Ints
    empty_us: Ints
    steps: Floats

    def shares(self, shared_mj: Ints, step_nj: int, edges_us: Ints) -> Ints:
        """Each request's weight in sharing ``shared_mj`` of each cell: whole numbers whose sum is below 2**60."""
        alike = step_nj * float(1 << self.shift) * self.steps
        mass = self.mass.astype(np.float64)
        here = self.present_us > 0
        alike = np.where(here & (alike + mass <= 0), 1.0, np.where(here, alike, 0.0))
        price = shared_mj / np.where(here, alike + mass, 1.0)
        each = price * alike / np.maximum(self.present_us, 1)
        fine = min(FINE_BITS_MAX, SHARE_BITS - int(shared_mj.sum()).bit_length())
        return values(self.at_us, self.places, self.rates, edges_us, price, each, 2.0**fine)


def cells_of(samples: Columns) -> Cells:
    """The samples as cells. Raises Invalid ``attribution.columns``, ``attribution.samples``."""
    start, stop, meter = _ints(samples, SAMPLE_COLUMNS)
    it_mj = _ints(samples, ("meter_mj", "it_mj"))[1] if "it_mj" in samples else None
    good = samples["good"].astype(bool) if "good" in samples else np.ones(len(start), bool)
    steps = samples["steps"].astype(np.float64) if "steps" in samples else None
    _check_samples(start, stop, meter, it_mj, good, steps)
    gap = start[1:] > stop[:-1]
    row = np.arange(len(start)) + np.concatenate([np.zeros(1, np.int64), np.cumsum(gap)])[: len(start)]
    count = int(row[-1]) + 1
    edges = np.empty(count + 1, np.int64)
    edges[row + 1], edges[row] = stop, start
    return Cells(
        edges,
        _placed(meter, row, count),
        _placed(good, row, count, fill=True),
        None if it_mj is None else _placed(it_mj, row, count),
        None if steps is None else _placed(np.nan_to_num(steps), row, count),
    )


def work_of(requests: Columns, cells: Cells, prompt_nj: int, pair_nj: int, output_nj: int, context_nj: int) -> Work:
    """Requests laid over cells by the weights of a rule [nJ].

    Raises:
        Invalid: ``attribution.columns``, ``attribution.requests``, ``attribution.too_large``.
    """
    arrived, first, done, prompt, output = _ints(requests, REQUEST_COLUMNS)
    start = _ints(requests, ("arrived_us", "started_us"))[1] if "started_us" in requests else arrived
    _check_requests(start, first, done, prompt, output)
    weights = np.stack(
        [
            _weights(prompt, prompt_nj, prompt.astype(np.float64) ** 2 / 2, pair_nj),
            _weights(output, output_nj, output * (prompt + output / 2.0), context_nj),
        ]
    )
    at_us, weights = _phases(start, first, done, weights)
    shift = _shift(weights)
    rates = (weights << shift) // np.maximum(np.diff(at_us, axis=0), 1)
    at_us = np.clip(at_us, cells.edges_us[0], cells.edges_us[-1])
    places = places_of(cells.edges_us, at_us)
    mass = _line_sums(cells.edges_us, at_us, places, rates)
    alone = np.ones((1, at_us.shape[1]), np.int64)
    present = _line_sums(cells.edges_us, at_us[::2], places[::2], alone)
    busy = _busy_us(cells.edges_us, at_us[0], at_us[2])
    steps = cells.steps
    if steps is None:
        steps = _decode_steps(cells.edges_us, at_us[1:], places[1:], output, busy)
    return Work(at_us, places, rates, shift, mass, present, np.diff(cells.edges_us) - busy, steps)


def _phases(start: Ints, first: Ints, done: Ints, weights: Ints) -> tuple[Ints, Ints]:
    """Instants (3, n) at which no phase with weight is empty; an answer all at once is worked at in its first phase."""
    first = np.maximum(first, start + 1)
    done = np.maximum(done, first)
    at_once = done == first
    weights[0] += np.where(at_once, weights[1], 0)
    weights[1] = np.where(at_once, 0, weights[1])
    return np.stack([start, first, done]), weights


def _weights(count: Ints, each_nj: int, pairs: Floats, pair_nj: int) -> Ints:
    weight = count.astype(np.float64) * each_nj + pairs * pair_nj
    if weight.sum() >= 2.0**MASS_BITS:
        raise Invalid("attribution.too_large", "The weights of these requests sum to more than 61 bits.")
    return weight.astype(np.int64)


def _shift(weights: Ints) -> int:
    mass = int(weights.sum())
    return min(40, max(0, MASS_BITS - mass.bit_length()))


def _line_sums(edges: Ints, at_us: Ints, places: Ints, rates: Ints) -> Ints:
    """What lines rising by ``rates`` between consecutive instants gain together in each cell.

    Products may wrap; what a cell gains fits, so it comes out right modulo 2**64.
    """
    slope, moment = bent(at_us - edges[0], places, rates, len(edges) - 1)
    reached = np.cumsum(slope) * (edges[1:] - edges[0]) - np.cumsum(moment)
    gained: Ints = np.diff(reached, prepend=np.int64(0))
    return gained


def _busy_us(edges: Ints, start: Ints, done: Ints) -> Ints:
    """Time of each cell in which at least one request was there [us]."""
    order = slice(None) if (start[1:] >= start[:-1]).all() else np.argsort(start, kind="stable")
    start, reached = start[order], np.maximum.accumulate(done[order])
    if len(start) == 0:
        return np.zeros(len(edges) - 1, np.int64)
    fresh = np.concatenate([np.ones(1, bool), start[1:] > reached[:-1]])
    last = np.concatenate([np.flatnonzero(fresh)[1:] - 1, [len(start) - 1]])
    at_us = np.stack([start[fresh], reached[last]])
    return _line_sums(edges, at_us, places_of(edges, at_us), np.ones((1, at_us.shape[1]), np.int64))


def _decode_steps(edges: Ints, at_us: Ints, places: Ints, output: Ints, busy_us: Ints) -> Floats:
    """Steps of the engine, where it does not count them: a request that decodes gets one token a step.

    A cell in which somebody is there and nobody decodes counts as one step.
    """
    long_us = np.diff(at_us, axis=0)
    shift = _shift(output)
    rates = np.where(long_us > 0, (output << shift) // np.maximum(long_us, 1), 0)
    tokens = _line_sums(edges, at_us, places, rates) / float(1 << shift)
    decoding_us = _line_sums(edges, at_us, places, (long_us > 0).astype(np.int64))
    steps = tokens / np.maximum(decoding_us, 1) * busy_us
    return np.where(busy_us > 0, np.maximum(steps, 1.0), 0.0)


def _placed(column: Column, row: Ints, count: int, fill: object = 0) -> Column:
    out = np.full(count, fill, dtype=column.dtype)
    out[row] = column
    return out


def _ints(columns: Columns, names: tuple[str, ...]) -> list[Ints]:
    if any(name not in columns for name in names):
        raise Invalid("attribution.columns", f"Sharing out energy takes the columns {', '.join(names)}.")
    found = [columns[name] for name in names]
    whole = all(np.issubdtype(column.dtype, np.signedinteger) for column in found)
    if not whole or any(column.shape != (len(found[0]),) for column in found):
        raise Invalid("attribution.columns", f"The columns {', '.join(names)} are whole numbers of one length.")
    return [column.astype(np.int64, copy=False) for column in found]


def _check_samples(
    start: Ints, stop: Ints, meter: Ints, it_mj: Ints | None, good: Column, steps: Floats | None
) -> None:
    shapes = [column.shape for column in (it_mj, good, steps) if column is not None]
    right = len(start) > 0 and all(shape == start.shape for shape in shapes)
    right = right and not ((stop <= start).any() or (start[1:] < stop[:-1]).any() or (meter < 0).any())
    if right and it_mj is not None:
        right = not ((it_mj < 0) | (it_mj > meter)).any()
    if not right or (steps is not None and (steps < 0).any()):
        hint = "Samples follow each other, count no energy below 0 and give IT no more than the meter."
        raise Invalid("attribution.samples", "The meter's samples are not in order.", hint=hint)
    if float(meter.astype(np.float64).sum()) >= 2.0**62:
        raise Invalid("attribution.too_large", "The meter's samples sum to more than 62 bits.")


def _check_requests(start: Ints, first: Ints, done: Ints, prompt: Ints, output: Ints) -> None:
    if (first < start).any() or (done < first).any() or (prompt < 0).any() or (output < 0).any():
        raise Invalid("attribution.requests", "A request starts, gives its first token and is done, in that order.")

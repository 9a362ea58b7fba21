"""The rule of shares as one would write it in plain Python: a loop over requests, and for each over the samples it
lasts. What `attribution` is timed against, and held equal to in tests: the same figures, request by request."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field

import numpy as np

from penstock.compute.attribution import Rule, Shares
from penstock.journal.segment import Columns


@dataclass(slots=True)
class Cell:
    """One sample of the meter and what was done in it."""

    start: int
    stop: int
    meter_mj: int
    it_mj: int
    good: bool
    steps: float
    mass: int = 0
    present_us: int = 0
    busy_us: int = 0
    left_mj: int = 0
    price: float = 0.0
    each: float = 0.0
    price_before: float = 0.0
    each_before: float = 0.0


@dataclass(slots=True)
class Asked:
    """One request: its instants, both rates, and the cells it starts, turns and ends in."""

    at: tuple[int, int, int]
    rates: tuple[int, int]
    places: list[int] = field(default_factory=list)


def plain_share(requests: Columns, samples: Columns, rule: Rule) -> Shares:
    """As `penstock.compute.attribution.share`, for samples without gaps that count steps."""
    cells = plain_cells(samples, rule)
    asked, shift = plain_requests(requests, cells, rule)
    for one in asked:
        lay(one, cells)
    mark_busy(asked, cells)
    idle_mj, answers_mj, unattributed_mj = set_apart(cells, rule)
    set_prices(cells, rule.step_nj * float(1 << shift))
    fine = 2.0 ** min(24, 59 - answers_mj.bit_length())
    weights = [max(int(value(one, cells) * fine), 0) for one in asked]
    overhead_mj = sum(cell.meter_mj - cell.it_mj for cell in cells)
    return Shares(np.array(cut(answers_mj, weights), np.int64), idle_mj, overhead_mj, unattributed_mj)


def plain_cells(samples: Columns, rule: Rule) -> list[Cell]:
    """The samples one by one, overhead by running totals of the good ones."""
    cells, metered, it_before = [], 0, 0
    good = samples["good"].tolist() if "good" in samples else [True] * len(samples["start_us"])
    names = ("start_us", "stop_us", "meter_mj", "steps")
    for start, stop, meter, steps, fine in zip(*(samples[name].tolist() for name in names), good, strict=True):
        metered += meter if fine else 0
        it = metered * 10_000 // rule.pue_bp
        cells.append(Cell(start, stop, meter, it - it_before if fine else meter, fine, float(steps)))
        it_before = it
    return cells


def plain_requests(requests: Columns, cells: list[Cell], rule: Rule) -> tuple[list[Asked], int]:
    """Instants and weights of both phases, then the weights as whole rates."""
    start = requests["started_us"] if "started_us" in requests else requests["arrived_us"]
    columns = [start, *(requests[name] for name in ("first_us", "done_us", "prompt_tokens", "output_tokens"))]
    found = []
    for begin, first, done, prompt, output in zip(*(column.tolist() for column in columns), strict=True):
        prefill = int(float(prompt) * rule.prompt_nj + float(prompt) ** 2 / 2 * rule.pair_nj)
        decode = int(float(output) * rule.output_nj + output * (prompt + output / 2.0) * rule.context_nj)
        first = max(first, begin + 1)
        done = max(done, first)
        found.append((begin, first, done, prefill + (decode if done == first else 0), 0 if done == first else decode))
    shift = min(40, max(0, 61 - sum(one[3] + one[4] for one in found).bit_length()))
    low, high = cells[0].start, cells[-1].stop
    asked = []
    for begin, first, done, prefill, decode in found:
        rates = (prefill << shift) // (first - begin), (decode << shift) // max(done - first, 1)
        clipped = [min(max(instant, low), high) for instant in (begin, first, done)]
        asked.append(Asked((clipped[0], clipped[1], clipped[2]), rates))
    return asked, shift


def lay(one: Asked, cells: list[Cell]) -> None:
    """Add a request to every cell it touches."""
    start, first, done = one.at
    place = bisect_right(cells, start, key=lambda cell: cell.start) - 1
    one.places = [place, place, place]
    while place < len(cells) and cells[place].start <= done:
        cell = cells[place]
        before, until = max(start, cell.start), min(done, cell.stop)
        filled, decoded = max(min(first, until) - before, 0), max(until - max(first, before), 0)
        cell.mass += one.rates[0] * filled + one.rates[1] * decoded
        cell.present_us += max(until - before, 0)
        if cell.start <= first:
            one.places[1] = place
        one.places[2] = place
        place += 1


def mark_busy(asked: list[Asked], cells: list[Cell]) -> None:
    """Time of each cell in which at least one request was there."""
    reached, place = cells[0].start, 0
    for start, _, done in sorted(one.at for one in asked):
        start = max(start, reached)
        while cells[place].stop <= start and place + 1 < len(cells):
            place += 1
        here = place
        while here < len(cells) and cells[here].start < done:
            cell = cells[here]
            cell.busy_us += max(min(done, cell.stop) - max(start, cell.start), 0)
            here += 1
        reached = max(reached, done)


def set_apart(cells: list[Cell], rule: Rule) -> tuple[int, int, int]:
    """Idle, what requests share, and what nobody bears [mJ]."""
    idle_mj = answers_mj = unattributed_mj = 0
    for cell in cells:
        us = cell.stop - cell.start - (0 if rule.idle_always else cell.busy_us)
        idle = min(cell.it_mj, us * rule.idle_mw // 1_000_000) if cell.good else 0
        idle_mj += idle
        if cell.good and cell.present_us:
            cell.left_mj = cell.it_mj - idle
            answers_mj += cell.left_mj
        else:
            unattributed_mj += cell.it_mj - idle
    return idle_mj, answers_mj, unattributed_mj


def set_prices(cells: list[Cell], step_mass: float) -> None:
    """What a unit of weight and a microsecond of presence cost in each cell, and both integrated before it."""
    price_before = each_before = 0.0
    for cell in cells:
        cell.price_before, cell.each_before = price_before, each_before
        if cell.present_us:
            alike = step_mass * cell.steps
            alike = 1.0 if alike + float(cell.mass) <= 0 else alike
            cell.price = cell.left_mj / (alike + float(cell.mass))
            cell.each = cell.price * alike / cell.present_us
        price_before += cell.price * (cell.stop - cell.start)
        each_before += cell.each * (cell.stop - cell.start)


def value(one: Asked, cells: list[Cell]) -> float:
    """What a request's work and presence cost [mJ]."""
    at = [cells[place] for place in one.places]
    cost = [cell.price_before + cell.price * (t - cell.start) for cell, t in zip(at, one.at, strict=True)]
    came = at[0].each_before + at[0].each * (one.at[0] - at[0].start)
    went = at[2].each_before + at[2].each * (one.at[2] - at[2].start)
    return (one.rates[0] * (cost[1] - cost[0]) + one.rates[1] * (cost[2] - cost[1])) + (went - came)


def cut(total: int, weights: list[int]) -> list[int]:
    """Floors of cumulative weight."""
    whole, passed, before, shares = sum(weights), 0, 0, []
    for weight in weights:
        passed += weight
        shares.append(total * passed // whole - before)
        before += shares[-1]
    return shares

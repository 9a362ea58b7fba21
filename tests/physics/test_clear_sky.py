"""The clear-sky bound: whole numbers, dark at night, brighter toward the sun, never above rated power."""

from __future__ import annotations

import numpy as np

from penstock.period import DAY_US, HOUR_US, QUARTER_HOUR_US, parse_iso
from penstock.physics.cell import parse_cell
from penstock.physics.clear_sky import clear_sky_wh_per_kw
from penstock.physics.orientation import Plane

GOLDEN = parse_cell("9xj4n")
JUNE_US = parse_iso("2016-06-21T07:00:00Z")  # midnight in Golden


def day(plane: Plane | None, cell: str = "9xj4n", start_us: int = JUNE_US, **more: float) -> np.ndarray:
    found: np.ndarray = clear_sky_wh_per_kw(parse_cell(cell), [plane], start_us, 96, QUARTER_HOUR_US, **more)[0]
    return found


def test_dark_at_night_and_never_above_rated_power() -> None:
    bound = day(Plane(30, 180))
    assert bound.dtype == np.int64
    assert bound[:16].max() == 0 and bound[:24].max() > 0 and bound[-12:].max() == 0  # sunrise 05:32, sunset 20:31
    assert bound.max() == 250
    assert 6_000 < bound.sum() < 9_000


def test_planes_and_seasons_are_told_apart() -> None:
    east, west, follows = day(Plane(40, 90)), day(Plane(40, 270)), day(None)
    assert east[:48].sum() > 1.3 * west[:48].sum() and west[48:].sum() > 1.3 * east[48:].sum()
    assert follows.sum() > 1.2 * day(Plane(30, 180)).sum()
    december = day(Plane(0, 180), start_us=parse_iso("2016-12-21T07:00:00Z"))
    assert december.sum() < 0.5 * day(Plane(0, 180)).sum()


def test_hazier_air_gives_less_and_a_coarser_cell_no_less() -> None:
    plane = Plane(30, 180)
    assert day(plane, turbidity=5.0).sum() < 0.98 * day(plane).sum()
    coarse, fine = day(plane, "9x"), day(plane, "9xj4n")
    assert np.count_nonzero(coarse) > np.count_nonzero(fine)


def test_steps_add_up_to_coarser_steps_but_for_rounding() -> None:
    plane = [Plane(30, 180), Plane(10, 90)]
    fine = clear_sky_wh_per_kw(GOLDEN, plane, JUNE_US, 96, QUARTER_HOUR_US)
    hours = clear_sky_wh_per_kw(GOLDEN, plane, JUNE_US, 24, HOUR_US)
    quarters = fine.reshape(2, 24, 4).sum(axis=2)
    assert np.all(hours <= quarters) and np.all(quarters <= hours + 4)
    one_by_one = np.stack([day(each) for each in plane])
    assert np.array_equal(fine, one_by_one)
    assert DAY_US == 96 * QUARTER_HOUR_US

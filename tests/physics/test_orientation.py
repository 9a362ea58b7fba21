"""Orientation: the sun is where it is, and a plane carried to itself stays as it is."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.period import parse_iso
from penstock.physics.orientation import Floats, Plane, carry_power, incidence_cosine

GOLDEN = (39.742, -105.173)
SOUTH, EAST, WEST, FLAT = Plane(30, 180), Plane(30, 90), Plane(30, 270), Plane(0, 180)


def times(day: str, count: int) -> Floats:
    """``count`` even steps over a day of Golden's [s since 1970]."""
    steps = np.arange(count, dtype=np.float64) * (86_400 / count)
    return np.asarray(steps + parse_iso(f"{day}T00:00:00-07:00") / 1e6, dtype=np.float64)


def at(text: str) -> Floats:
    return np.array([parse_iso(text) / 1e6])


def cosine(text: str, plane: Plane, place: tuple[float, float] = GOLDEN) -> float:
    return float(incidence_cosine(at(text), *place, plane)[0])


NOON, MORNING, AFTERNOON, NIGHT = (f"2016-08-22T{hour}:00:00-07:00" for hour in ("12", "08", "16", "00"))


def test_at_noon_south_faces_the_sun() -> None:
    assert cosine(NOON, SOUTH) > 0.95
    assert cosine(NOON, SOUTH) > cosine(NOON, EAST)
    assert cosine(NOON, SOUTH) > cosine(NOON, WEST)


def test_the_sun_rises_in_the_east() -> None:
    assert cosine(MORNING, EAST) > cosine(MORNING, SOUTH) > cosine(MORNING, WEST)
    assert cosine(AFTERNOON, WEST) > cosine(AFTERNOON, SOUTH) > cosine(AFTERNOON, EAST)


@pytest.mark.parametrize("plane", [SOUTH, EAST, WEST, FLAT])
def test_at_night_there_is_none(plane: Plane) -> None:
    assert cosine(NIGHT, plane) == 0


@pytest.mark.parametrize(
    ("day", "elevation_deg"),
    [("2016-06-21", 90 - 39.742 + 23.45), ("2016-12-21", 90 - 39.742 - 23.45), ("2016-03-20", 90 - 39.742)],
)
def test_at_solar_noon_a_flat_plane_sees_the_suns_elevation(day: str, elevation_deg: float) -> None:
    """Over the year's extremes the noon sun stands at 90 - latitude + declination, within a degree."""
    noon = f"{day}T12:00:41-07:00"  # 0.173 degrees west of the zone's meridian
    assert np.degrees(np.arcsin(cosine(noon, FLAT))) == pytest.approx(elevation_deg, abs=1.0)


def test_a_vertical_wall_to_the_north_sees_no_winter_sun() -> None:
    winter = times("2016-12-21", 96)
    assert not incidence_cosine(winter, *GOLDEN, Plane(90, 0)).any()
    assert incidence_cosine(winter, *GOLDEN, Plane(90, 180)).max() > 0.8


def test_days_have_their_hours() -> None:
    """At the equinox the sun is up for twelve hours, at 39.7 degrees north in June for about fifteen."""

    def hours(day: str) -> float:
        return float((incidence_cosine(times(day, 1_440), *GOLDEN, FLAT) > 0).sum()) / 60

    assert hours("2016-03-20") == pytest.approx(12, abs=0.2)
    assert hours("2016-06-21") == pytest.approx(14.9, abs=0.3)


planes = st.builds(Plane, st.floats(0, 90), st.floats(0, 360))


@given(st.floats(0, 2e9), st.floats(-66, 66), st.floats(-180, 180), planes)
def test_a_cosine_is_one(unix_s: float, latitude: float, longitude: float, plane: Plane) -> None:
    found = incidence_cosine(np.array([unix_s]), latitude, longitude, plane)
    assert 0 <= float(found[0]) <= 1 + 1e-9


@given(st.floats(0, 1), st.lists(st.floats(0, 5_000), min_size=24, max_size=24))
def test_the_same_plane_keeps_its_power_where_the_sun_stands_well(diffuse: float, watts: list[float]) -> None:
    power, day = np.array(watts), times("2016-08-22", 24)
    carried = carry_power(power, day, *GOLDEN, SOUTH, SOUTH, diffuse)
    well = incidence_cosine(day, *GOLDEN, SOUTH) >= 0.25
    assert well.sum() >= 8
    assert carried[well] == pytest.approx(power[well])
    assert np.all(carried <= power * (1 + 1e-12))


def test_all_diffuse_light_is_alike_for_every_plane() -> None:
    power, day = np.full(24, 1_000.0), times("2016-08-22", 24)
    assert carry_power(power, day, *GOLDEN, SOUTH, EAST, 1.0) == pytest.approx(power)


def test_a_plane_gains_where_it_faces_the_sun_and_never_beyond_its_bound() -> None:
    power, both = np.full(2, 1_000.0), np.concatenate([at(MORNING), at(AFTERNOON)])
    east = carry_power(power, both, *GOLDEN, SOUTH, EAST, 0.2)
    assert east[0] > 1_000 > east[1]
    assert east.max() <= 1_000 * (0.2 + 0.8 * 1.5)
    assert carry_power(power, np.repeat(at(NIGHT), 2), *GOLDEN, SOUTH, EAST, 0.2) == pytest.approx([200, 200])

"""The fleet: a function of its seed and of the sun."""

from __future__ import annotations

import numpy as np
import pytest
from demo_sources import MONDAY, clear_week

from penstock.cli.demo.fleet import BOASTER, COPYIST, LIARS_FROM, ROOFS, Cloud, counted_wh, positions_wh, roofs
from penstock.cli.demo.sunshine import ARRAY, ARRAY_W
from penstock.period import QUARTER_HOUR_US

SEED = bytes(32)


def test_a_seed_is_a_fleet() -> None:
    fleet = roofs(SEED)
    assert fleet == roofs(SEED)
    assert [one.key.public for one in fleet] == [one.key.public for one in roofs(SEED)]
    other = roofs(b"\x01" * 32)
    assert [one.size_w for one in fleet] != [one.size_w for one in other]
    assert not {one.key.public for one in fleet} & {one.key.public for one in other}


def test_roofs_have_names_keys_sizes_and_planes_of_their_own() -> None:
    fleet = roofs(SEED)
    assert len(fleet) == ROOFS == len({one.name for one in fleet}) == len({one.key.public for one in fleet})
    assert {one.size_w % 50 for one in fleet} == {0}
    assert all(900 <= one.size_w < 2_900 for one in fleet)
    assert all(10 <= one.plane.tilt_deg <= 45 and 110 <= one.plane.azimuth_deg <= 250 for one in fleet)
    assert len({one.plane for one in fleet}) > 100


def test_a_register_only_goes_up_and_never_beyond_its_roof() -> None:
    sun = clear_week()
    for roof in roofs(SEED, 12):
        position = positions_wh(roof, SEED, sun, None)
        steps = np.diff(np.r_[0, position])
        assert position.dtype == np.int64
        assert (steps >= 0).all()
        assert steps.max() <= roof.size_w // 4 + 1
        assert position[-1] > 7 * roof.size_w


def test_the_night_counts_nothing() -> None:
    position = positions_wh(roofs(SEED)[0], SEED, clear_week(), None)
    assert not position[:24].any()
    assert position[80] == position[95] == position[96 + 20]


def test_the_measured_plane_itself_makes_the_measured_share() -> None:
    from dataclasses import replace

    sun = clear_week()
    roof = replace(roofs(SEED)[0], plane=ARRAY, size_w=1_000)
    noon = np.diff(positions_wh(roof, SEED, sun, None))[32:60]
    measured = sun.power_w[33:61] / ARRAY_W * 250
    assert (noon <= measured + 1).all()  # its own shadows take something of each quarter-hour
    assert noon.sum() == pytest.approx(measured.sum() * 0.97, rel=0.02)


def test_the_two_last_meters_of_a_large_fleet_lie() -> None:
    sun, fleet = clear_week(), roofs(SEED, LIARS_FROM)
    said = counted_wh(fleet, SEED, sun, None)
    honest = [positions_wh(roof, SEED, sun, None) for roof in fleet]
    assert [np.array_equal(one, other) for one, other in zip(said, honest, strict=True)] == [True] * 18 + [False] * 2
    assert np.array_equal(said[COPYIST], honest[0] * fleet[COPYIST].size_w // fleet[0].size_w)
    assert said[BOASTER][-1] > 1.2 * honest[BOASTER][-1]
    assert np.diff(said[BOASTER]).max() <= fleet[BOASTER].size_w // 4
    assert all(map(np.array_equal, counted_wh(fleet[:-1], SEED, sun, None), honest[:-1]))


@pytest.mark.parametrize("percent", [0, 30, 100])
def test_a_cloud_cuts_its_day_and_no_other(percent: int) -> None:
    sun, roof = clear_week(), roofs(SEED)[5]
    clear = np.diff(np.r_[0, positions_wh(roof, SEED, sun, None)]).reshape(7, 96).sum(axis=1)
    cloudy = np.diff(np.r_[0, positions_wh(roof, SEED, sun, Cloud("2016-08-24", percent))]).reshape(7, 96).sum(axis=1)
    assert cloudy[2] == pytest.approx(clear[2] * percent / 100, abs=2)
    others = [0, 1, 3, 4, 5, 6]
    assert cloudy[others] == pytest.approx(clear[others], abs=1)


def test_a_cloud_starts_and_ends_at_midnight_in_golden() -> None:
    sun = clear_week()
    factor = Cloud(MONDAY, 50).factor(sun.start_us)
    assert factor[:96].tolist() == [0.5] * 96
    assert factor[96:].tolist() == [1.0] * 576
    assert Cloud(MONDAY, 50).factor(sun.start_us[:1] - QUARTER_HOUR_US).tolist() == [1.0]

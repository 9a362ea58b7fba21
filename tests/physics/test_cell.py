"""Geohash cells: published examples, and back and forth."""

from __future__ import annotations

import pytest

from penstock.errors import Invalid
from penstock.physics.cell import cell_of, parse_cell

PUBLISHED = {"u4pruydqqvj": (57.64911, 10.40744), "ezs42": (42.605, -5.603), "9q8yy": (37.774, -122.419)}


@pytest.mark.parametrize(("geohash", "place"), PUBLISHED.items())
def test_published_cells(geohash: str, place: tuple[float, float]) -> None:
    cell = parse_cell(geohash)
    assert cell.south <= place[0] <= cell.north and cell.west <= place[1] <= cell.east
    assert cell_of(*place, len(geohash)) == geohash


def test_a_coarser_cell_contains_the_finer() -> None:
    fine = parse_cell("u4pruydqqvj")
    for digits in range(1, 11):
        coarse = parse_cell("u4pruydqqvj"[:digits])
        assert coarse.south <= fine.south and fine.north <= coarse.north
        assert coarse.west <= fine.west and fine.east <= coarse.east
        assert cell_of(fine.latitude_deg, fine.longitude_deg, digits) == "u4pruydqqvj"[:digits]


@pytest.mark.parametrize("text", ["", "a", "u4i", "U4", "u4pruydqqvjbb", "9 q"])
def test_what_is_no_geohash(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse_cell(text)
    assert caught.value.code == "cell.malformed"


@pytest.mark.parametrize(
    "place", [(91.0, 0.0, 5), (0.0, 181.0, 5), (0.0, 0.0, 0), (0.0, 0.0, 13), (float("nan"), 0.0, 5)]
)
def test_what_is_no_place(place: tuple[float, float, int]) -> None:
    with pytest.raises(Invalid) as caught:
        cell_of(*place)
    assert caught.value.code == "cell.place"

"""Dialects are data, and checked like any other."""

from __future__ import annotations

from importlib.resources import files

import pytest

from penstock.connect.vendor_dialect import dialects, parse, shipped
from penstock.errors import Invalid, NotFound


def text(name: str = "intervals") -> str:
    return files("penstock.connect").joinpath("dialects", f"{name}.toml").read_text("utf-8")


def test_two_dialects_are_shipped_one_of_each_shape() -> None:
    assert dialects() == ["intervals", "lifetime"]
    assert {shipped(name).shape for name in dialects()} == {"interval", "lifetime"}


def test_a_dialect_nobody_wrote_is_not_found() -> None:
    for name in ("other", "../secrets", ""):
        with pytest.raises(NotFound) as caught:
            shipped(name)
        assert caught.value.code == "connect.dialect"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('shape = "interval"', 'shape = "shapeless"'),
        ('energy_unit = "Wh"', 'energy_unit = "calories"'),
        ('instants = "epoch_s"', 'instants = "moon"'),
        ("window_s = 86400", "window_s = 0"),
        ("window_s = 86400", "window_s = 1.5"),
        ("settle_s = 900", "settle_s = -1"),
        ("settle_s = 900", ""),
        ("needs_api_key = true", "needs_api_key = 1"),
        ('kind = "cursor"', 'kind = "cursor"\nmore = 1'),
        ("[limits]", "[other]"),
        ("requests_per_minute = 10", "requests_per_minute = 0"),
        ("[rows]", "[rows"),
    ],
)
def test_a_dialect_that_is_wrong_is_refused(old: str, new: str) -> None:
    assert old in text()
    with pytest.raises(Invalid) as caught:
        parse("x", text().replace(old, new))
    assert caught.value.code == "connect.dialect_malformed"

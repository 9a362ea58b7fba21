"""`penstock certificate match`: files matched, a workspace's hours previewed, claimed and told again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from consumer_kit import Consumers, kept
from device_kit import hours
from typer.testing import CliRunner

from penstock.cli.main import app
from penstock.energy.matching import Corridor, Preference, Rules
from penstock.errors import Invalid, NotFound
from penstock.period import iso
from penstock.usecases.registry.match_files import match_files

HEAD = "zone,interval,owner,energy_wh,price_usdc_micro_per_mwh\n"
SUPPLY = (
    HEAD
    + "DE,2026-03-29T00:00:00Z,wind,900,4\nDE,2026-03-29T01:00:00+01:00,sun,500,3\nFR,2026-03-29T01:00:00Z,sun,70,1\n"
)
DEMAND = HEAD + "DE,2026-03-29T02:00:00+02:00,mill,1000,9\nDE,2026-03-29T03:00:00+02:00,mill,50,9\n"
"""On the day that summer time begins: midnight UTC is written three ways."""


def files(folder: Path, supply: str = SUPPLY, demand: str = DEMAND) -> tuple[Path, Path]:
    paths = folder / "supply.csv", folder / "demand.csv"
    for path, text in zip(paths, (supply, demand), strict=True):
        path.write_text(text)
    return paths


def test_rows_of_files_meet_by_the_same_rules(tmp_path: Path) -> None:
    out = tmp_path / "met.csv"
    told = match_files(*files(tmp_path), Rules(Preference.CHEAPEST, corridors=(Corridor("FR", "DE", 40),)), out)
    assert (told["certificates_wh"], told["drawn_wh"], told["matched_wh"], told["meetings"]) == (1_470, 1_050, 1_040, 3)
    assert told["matched_basis_points"] == 9_904
    rows = [line.split(",")[1:] for line in out.read_text().replace('"', "").splitlines()[1:]]
    assert rows == [
        ["DE", "DE", "sun", "mill", "500", "1", "0"],
        ["DE", "DE", "wind", "mill", "500", "0", "0"],
        ["FR", "DE", "sun", "mill", "40", "2", "1"],
    ]


def test_parquet_says_the_same(tmp_path: Path) -> None:
    paths = files(tmp_path)
    told = match_files(*paths, Rules(), tmp_path / "met.parquet")
    again = [tmp_path / f"{path.stem}.parquet" for path in paths]
    for source, path in zip(paths, again, strict=True):
        columns = [line.split(",") for line in source.read_text().splitlines()[1:]]
        table = {
            "zone": [row[0] for row in columns],
            "interval": pa.array([row[1] for row in columns]).cast(pa.timestamp("us", tz="UTC")),
            "owner": [row[2] for row in columns],
            "energy_wh": pa.array([int(row[3]) for row in columns], pa.int32()),
        }
        pq.write_table(pa.table(table), path)
    assert match_files(again[0], again[1], Rules()) == told
    assert pq.read_table(tmp_path / "met.parquet")["energy_wh"].to_pylist() == [642, 358]


@pytest.mark.parametrize(
    ("supply", "code"),
    [
        (SUPPLY.replace("900", "0"), "match.quantity"),
        (SUPPLY.replace("900", "-5"), "match.quantity"),
        (SUPPLY.replace("900", "9.5"), "match.file"),
        (SUPPLY.replace("900", ""), "match.file"),
        (SUPPLY.replace("00:00:00Z", "00:00:01Z"), "match.interval"),
        (SUPPLY.replace("00:00:00Z", "00:00:00"), "match.file"),
        (SUPPLY.replace("owner", "who"), "match.file"),
        (SUPPLY.replace("price_usdc_micro_per_mwh", "minutes").replace(",4\n", ",7\n"), "match.interval"),
        ("", "match.file"),
    ],
)
def test_bad_files_are_refused(tmp_path: Path, supply: str, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        match_files(*files(tmp_path, supply), Rules())
    assert caught.value.code == code


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFound) as caught:
        match_files(tmp_path / "none.csv", tmp_path / "none.csv", Rules())
    assert caught.value.code == "file.missing"


def ran(*args: str) -> dict[str, Any]:
    done = CliRunner().invoke(app, ["certificate", "match", *args, "--json"], catch_exceptions=False)
    assert done.exit_code == 0
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_command_matches_files(tmp_path: Path) -> None:
    paths = [str(path) for path in files(tmp_path)]
    assert ran("plan", *paths, "--corridor", "FR/DE=40", "--preference", "fifo")["matched_wh"] == 1_040
    assert ran("plan", *paths, "--corridor", "FR/DE", "--timing", "same_hour")["matched_wh"] == 1_050


@pytest.mark.parametrize(
    "option", [("--preference", "best"), ("--timing", "never"), ("--corridor", "DE"), ("--corridor", "DE/FR=x")]
)
def test_the_command_refuses_rules_that_are_none(tmp_path: Path, option: tuple[str, str]) -> None:
    with pytest.raises(Invalid) as caught:
        ran("plan", *(str(path) for path in files(tmp_path)), *option)
    assert caught.value.code == "match.rule"


def test_the_command_certifies_previews_and_claims(tmp_path: Path) -> None:
    folder = str(tmp_path / "kept")
    kept(Path(folder), story).store.close()
    assert ran("consumption", "--zone", "XX", "-w", folder)["issued_wh"] == 800
    during = ("--account", "owner", "--consumer", "home", "--from", iso(hours(0)), "--to", iso(hours(9)), "-w", folder)
    assert ran("preview", *during)["matched_wh"] == 800
    first = ran("run", *during, "--key", "march")
    assert (first["matched_wh"], first["repeated"]) == (800, False)
    assert ran("run", *during, "--key", "march")["repeated"]
    assert ran("preview", *during)["matched_wh"] == 0


def story(registry: Consumers) -> None:
    registry.with_hours()
    registry.drew("home", (1, 700), (2, 800))

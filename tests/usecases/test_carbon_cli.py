"""`penstock certificate carbon`: from a CSV of factors to a report that checks, and a credit that is used."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
from carbon_kit import HEADS, START_US, Portfolio, line
from typer.testing import CliRunner

from penstock.cli.main import app
from penstock.errors import Invalid, PenstockError
from penstock.journal.words import Technology
from penstock.period import HOUR_US, iso
from penstock.usecases.registry.factors import factors_of_csv, method_of_text

METHOD = """
method: displaced
version: "1"
baseline: marginal
source: grid
factors_version: v1
additionality: built without other support
commissioned_from: "2025-06-01T00:00:00Z"
crediting_years: 10
technologies: [solar_pv]
assurance: meter_signed
buffer_bp: 500
buffer: displaced/buffer
"""


def run(*words: str) -> Any:
    done = CliRunner().invoke(app, ["certificate", "carbon", *words, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = Portfolio(tmp_path / "w")
    load = made.device("load", "north", "import", Technology.LOAD)
    roof = made.device("roof", "north", "export", Technology.SOLAR_PV)
    made.hourly(load, [1_000, 1_000])
    made.hourly(roof, [600, 9_000])
    made.certify(roof, "north", [600, 9_000])
    made.claim(roof, 0, load, 0, 600)
    made.workspace.store.close()
    (tmp_path / "factors.csv").write_text(HEADS + line("north", 0, "100", "150", "400", "50", hours=2))
    (tmp_path / "method.yaml").write_text(METHOD)
    return tmp_path


def test_from_factors_to_a_report_that_checks(folder: Path) -> None:
    at = ("--workspace", str(folder / "w"))
    published = run("publish", str(folder / "factors.csv"), "--source", "grid", "--version", "v1", *at)
    assert run("publish", str(folder / "factors.csv"), "--source", "grid", "--version", "v1", *at)["repeated"]
    assert run("factors", *at)["factors"][0]["fact"] == published["fact"]
    told = run(
        "report", "--from", iso(START_US), "--to", iso(START_US + 2 * HOUR_US), "--factors", "grid@v1",
        "--account", "operator", "--out", str(folder / "out"), *at,
    )  # fmt: skip
    assert told["figures"]["matched_share_bp"] == 3_000
    report = folder / "out" / "report.json"
    assert not run("check", str(report))["reckoned_again"]
    assert run("check", str(report), "--against", str(folder / "w"))["reckoned_again"]
    claims = list(csv.DictReader((folder / "out" / "claims.csv").open()))
    assert [(row["counted_wh"], row["certificate_register"], row["claim_row"]) for row in claims] == [
        ("600", "roof/export", "0")
    ]
    hours = list(csv.DictReader((folder / "out" / "hours.csv").open()))
    assert sum(int(row["drawn_wh"]) for row in hours) == 2_000
    assert {row["factor_fact"] for row in hours} == {str(published["fact"])}


def test_the_page_stands_alone_and_says_what_it_rests_on(folder: Path) -> None:
    test_from_factors_to_a_report_that_checks(folder)
    page = (folder / "out" / "report.html").read_text()
    assert "<script" not in page
    assert not re.findall(r'(?:src|href)="(?!#)', page)
    assert "30.00 %" in page
    told = json.loads((folder / "out" / "report.json").read_text())
    assert told["evidence"]["root"] in page
    for figure in told["evidence"]["rests_on"]:
        assert f'href="#proof-{figure}"' in page
        assert f'id="proof-{figure}"' in page
    targets = set(re.findall(r'href="#([^"]+)"', page))
    assert targets <= set(re.findall(r'id="([^"]+)"', page))


def test_names_on_the_page_are_escaped(tmp_path: Path) -> None:
    made = Portfolio(tmp_path / "w", "<b>operator</b>")
    load = made.device("load", "<i>north", "import", Technology.LOAD)
    made.hourly(load, [1_000])
    made.publish("<i>north,2025-06-01T00:00:00Z,2025-06-02T00:00:00Z,1,1,1,1\n")
    made.workspace.store.close()
    run(
        "report", "--from", iso(START_US), "--to", iso(START_US + HOUR_US), "--factors", "grid operator@2025-v1",
        "--account", "<b>operator</b>", "--out", str(tmp_path / "out"), "--workspace", str(tmp_path / "w"),
    )  # fmt: skip
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<b>operator" not in page
    assert "<i>north" not in page


def test_a_credit_is_made_and_used(folder: Path) -> None:
    at = ("--workspace", str(folder / "w"))
    run("publish", str(folder / "factors.csv"), "--source", "grid", "--version", "v1", *at)
    run("adopt", str(folder / "method.yaml"), *at)
    assert run("methods", *at)["methods"][0]["buffer_bp"] == 500
    ask = ("credit", "--account", "operator", "--method", "displaced@1", "--quantity-wh", "5000", "--key", "one", *at)
    assert not run(*ask)["repeated"]
    assert run(*ask)["repeated"]
    (made,) = run("credits", *at)["credits"]
    assert (made["grams"], made["buffer_g"]) == (2_000, 100)
    used = run(
        "use", "--account", "operator", "--grams", "1900", "--beneficiary", "operator", "--reason", "travel", *at
    )
    assert used["acts"][0]["quantity_wh"] == 1_900
    assert run("offsets", *at)["offsets"] == []


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("north,2025-06-01T00:00:00Z,2025-06-01T01:00:00Z,x,1,1,1\n", 2),
        ("north,2025-06-01T00:00:00Z,2025-06-01T01:00:00Z,-1,1,1,1\n", 2),
        ("north,2025-06-01T00:00:00Z,2025-06-01T01:00:00Z,NaN,1,1,1\n", 2),
        ("north,2025-06-01T00:00:00Z,2025-06-01T01:00:00Z,1e400,1,1,1\n", 2),
        ("north,2025-06-01T00:00:00Z\n", 2),
        ("north,2025-06-01 00:00,2025-06-01T01:00:00Z,1,1,1,1\n", 2),
        ("north,2025-06-01T00:00:00Z,2025-06-01T01:00:00Z,1,1,1,1,1\n", 2),
    ],
)
def test_lines_that_cannot_be_read_are_named(lines: str, said: int) -> None:
    with pytest.raises(Invalid) as found:
        factors_of_csv(HEADS + lines)
    assert (found.value.code, found.value.ids["line"]) == ("factors.csv", str(said))


def test_a_bare_carriage_return_in_the_first_line_is_no_fault() -> None:
    with pytest.raises(Invalid) as found:
        factors_of_csv("zone\rstart,\n")
    assert found.value.code == "factors.csv"


def test_figures_are_rounded_to_the_safe_side() -> None:
    text = HEADS + "z,2025-06-01T00:00:00Z,2025-06-01T01:00:00Z,0.0001,0.0015,,33.339\n"
    _, rows = factors_of_csv(text)
    assert [int(rows[name][0]) for name in ("average", "residual", "marginal", "carbon_free_bp")] == [1, 2, -1, 3_333]


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ("z,2025-06-01T01:00:00Z,2025-06-01T01:00:00Z,1,1,1,1\n", "factors.rows"),
        ("z,2025-06-01T00:00:00Z,2025-06-01T01:00:00Z,1,1,1,101\n", "factors.rows"),
        ("z,2025-06-01T00:00:00Z,2025-06-01T01:00:00Z,99999,1,1,1\n", "factors.rows"),
        (line("z", 0, "1", "1", "1", "1", hours=2) + line("z", 1, "1", "1", "1", "1"), "factors.overlap"),
        (",2025-06-01T00:00:00Z,2025-06-01T01:00:00Z,1,1,1,1\n", "factors.named"),
    ],
)
def test_factors_that_do_not_stand(tmp_path: Path, lines: str, code: str) -> None:
    made = Portfolio(tmp_path / "w")
    with pytest.raises(PenstockError) as found:
        made.publish(lines)
    assert found.value.code == code
    made.workspace.store.close()


LAUGHS = "".join(f"x{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 9))


@pytest.mark.parametrize(
    "text",
    [
        *("", "[]", "method: x", METHOD.replace("marginal", "best"), METHOD.replace("500", "5.5"), "a: ["),
        *("x0: &a0 [lol]\n" + LAUGHS, "[" * 10_000, "- " * 8_000, "#" * 100_000),
        METHOD.replace("version:", "version: [a]\nfactors_version: b\n#", 1),
    ],
)
def test_methods_that_cannot_be_read(text: str) -> None:
    with pytest.raises(Invalid) as found:
        method_of_text(text)
    assert found.value.code == "method.malformed"

"""The investor report: figures by hand, dollars that add up, periods run again, forgeries found, pages that hold."""

from __future__ import annotations

import copy
import csv
import io
import json
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from report_plant import ReportPlant
from small_plant import Plant
from typer.testing import CliRunner

from penstock.capital.deal import Level
from penstock.cli.main import app
from penstock.errors import Corrupt, Invalid, NotFound, PenstockError, Unverified
from penstock.journal.kinds.capital import PeriodClosed
from penstock.usecases.investor_report.build import check_report, deal_report, read_report
from penstock.usecases.investor_report.covenants import headroom
from penstock.usecases.investor_report.page import TABLES, csv_of, html_of, json_of
from penstock.usecases.investor_report.words import bound, bound_by, measured, ratio, short_usdc, usdc

USDC = 10**6
Told = dict[str, Any]


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReportPlant]:
    made = ReportPlant(tmp_path_factory.mktemp("reported") / "plant")
    made.lived()
    with made.workspace:
        yield made


@pytest.fixture(scope="module")
def told(plant: ReportPlant) -> Told:
    found: Told = json.loads(json_of(deal_report(plant.workspace, "first", 1).told))
    return found


def by(rows: list[Told], name: str) -> dict[str, Told]:
    return {row[name]: row for row in rows}


def test_every_dollar_that_came_is_a_dollar_that_went_or_stayed(plant: ReportPlant) -> None:
    for period in (0, 1):
        told = deal_report(plant.workspace, "first", period).told
        came, went = (sum(row["usdc_micro"] for row in told[part]) for part in ("sources", "uses"))
        assert came == went > 0
        for row in told["accounts"]:
            inside = row["opening_usdc_micro"] + row["collected_usdc_micro"] + row["in_usdc_micro"]
            assert inside - row["out_usdc_micro"] == row["closing_usdc_micro"] >= 0


def test_a_period_by_hand(told: Told) -> None:
    """A's interest: 1,999,400 at 8 % for a day of 365, one floor; its principal 600; B gets nothing of its 328.76."""
    a, b = by(told["tranches"], "tranche")["A"], by(told["tranches"], "tranche")["B"]
    interest = 1_999_400 * USDC * 8 // (100 * 365)
    assert (a["interest_accrued_usdc_micro"], a["interest_paid_usdc_micro"]) == (interest, interest)
    assert (a["opening_usdc_micro"], a["principal_paid_usdc_micro"]) == (1_999_400 * USDC, 600 * USDC)
    assert a["closing_usdc_micro"] == 1_998_800 * USDC
    daily = 500_000 * USDC * 12 // (100 * 365)
    assert (b["interest_arrears_usdc_micro"], b["principal_arrears_usdc_micro"]) == (2 * daily, 300 * USDC)
    fees = by(told["fees"], "payee")
    energy = told["measures"][0]["value"]
    assert fees["servicer"]["paid_usdc_micro"] == 40 * USDC
    assert fees["roofs"]["paid_usdc_micro"] == energy * 80  # 0.08 USDC a kWh are 80 micro-dollars a Wh
    (test,) = told["tests"]
    due, cfads = interest + 600 * USDC, told["measures"][1]["value"]
    assert (test["value"], test["against"], test["state"]) == (cfads, due, "lockup")
    assert test["levels"][0]["headroom"] == cfads - -(-due * 6 // 5) < 0
    assert by(told["accounts"], "account")["dsra"]["target_usdc_micro"] == 500 * USDC


def test_steps_are_those_on_record_and_say_what_bound_them(plant: ReportPlant, told: Told) -> None:
    (row,) = plant.workspace.facts(told["fact"], told["fact"] + 1)
    assert isinstance(row.recorded.fact, PeriodClosed)
    columns = plant.workspace.columns(row)
    assert columns is not None
    for name in ("step", "due_usdc_micro", "paid_usdc_micro"):
        assert [step[name] for step in told["steps"]] == columns[name].tolist()
    short = [step for step in told["steps"] if step["short_usdc_micro"]]
    assert (short[0]["target"], bound_by(short[0])) == ("A", "cash ran out")
    assert all(step["paid_usdc_micro"] <= step["available_usdc_micro"] for step in told["steps"])


def test_what_tranches_took_over_is_told(told: Told) -> None:
    (pulled,) = told["pulled"]
    assert (pulled["payee"], pulled["holders"], pulled["usdc_micro"]) == (
        "A",
        7,
        told["tranches"][0]["paid_usdc_micro"],
    )


def test_the_history_ends_with_the_period_itself(told: Told, plant: ReportPlant) -> None:
    assert [row["number"] for row in told["history"]] == [1, 2]
    assert told["history"][1]["balances_usdc_micro"]["A"] == told["tranches"][0]["closing_usdc_micro"]
    assert deal_report(plant.workspace, "first", 0).told["history"] == told["history"][:1]


def test_the_same_facts_make_the_same_report_and_every_proof_holds(plant: ReportPlant, told: Told) -> None:
    assert check_report(told)["made_again"] is False
    found = check_report(told, plant.workspace)
    assert found["made_again"] and found["facts_proven"] == len(told["evidence"]["facts"])
    assert json.loads(json_of(deal_report(plant.workspace, "first", 1).told)) == told


@pytest.mark.parametrize(
    "path", [("inflow_usdc_micro",), ("tests", 0, "value"), ("steps", 2, "paid_usdc_micro"), ("history", 0, "state")]
)
def test_a_figure_that_was_changed_is_found(plant: ReportPlant, told: Told, path: tuple[Any, ...]) -> None:
    forged = copy.deepcopy(told)
    place: Any = forged
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = "normal" if isinstance(place[path[-1]], str) else place[path[-1]] + 1
    with pytest.raises(Unverified) as caught:
        check_report(forged, plant.workspace)
    assert caught.value.code == "deal.report_differs" and path[0] in str(caught.value)


def test_a_fact_that_was_changed_is_found_offline(told: Told) -> None:
    forged = copy.deepcopy(told)
    fact = by(forged["evidence"]["facts"], "seq")[told["fact"]]
    assert "lockup" in fact["body"]
    fact["body"] = fact["body"].replace("lockup", "normal")
    with pytest.raises(Unverified) as caught:
        check_report(forged)
    assert caught.value.code == "report.evidence"


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", "[" * 100, '{"report": "investor-report/1"}', '{"report": "investor-report/1", "evidence": {}}'],
)
def test_what_is_no_report_is_refused(plant: ReportPlant, text: str) -> None:
    with pytest.raises(PenstockError) as caught:
        check_report(read_report(text), plant.workspace)
    assert caught.value.code in ("deal.report_malformed", "report.evidence")


@pytest.mark.parametrize(("name", "value"), [("facts", 10**9), ("facts", True), ("period", -1), ("deal", 3)])
def test_a_report_of_facts_that_are_not_there_is_refused(
    plant: ReportPlant, told: Told, name: str, value: object
) -> None:
    with pytest.raises(Invalid) as caught:
        check_report(told | {name: value}, plant.workspace)
    assert caught.value.code == "deal.report_malformed"


def test_a_deal_or_period_that_is_not_there(plant: ReportPlant) -> None:
    for deal, period, code in (("none", 0, "deal.unknown"), ("first", 2, "deal.period_unknown")):
        with pytest.raises(NotFound) as caught:
            deal_report(plant.workspace, deal, period)
        assert caught.value.code == code


def test_a_record_whose_closes_do_not_come_out_again_is_not_reported(lived: Plant) -> None:
    """Its periods were closed on measures that no fact of it attests."""
    with pytest.raises(Corrupt) as caught:
        deal_report(lived.workspace, "first", 0)
    assert caught.value.code == "deal.rerun_differs"


def test_the_page_stands_alone_and_keeps_what_it_is_told_as_text(told: Told) -> None:
    hostile = "<script>alert(1)</script>"
    html = html_of(told | {"title": hostile, "state": hostile})
    assert hostile not in html and "&lt;script&gt;" in html
    plain = html_of(told)
    assert "<script" not in plain and "http://" not in plain.replace("http://www.w3.org/2000/svg", "")
    assert "cash ran out" in plain and "−208.08" in plain and "penstock deal verify" in plain


def test_tables_have_a_head_and_every_row(told: Told) -> None:
    for table in TABLES:
        rows = list(csv.DictReader(io.StringIO(csv_of(told, table))))
        assert len(rows) == len(told[table])
    rows = list(csv.DictReader(io.StringIO(csv_of(told, "tests"))))
    assert rows[0]["levels.1.headroom"] == str(told["tests"][0]["levels"][0]["headroom"])
    assert csv_of({"steps": [{"line": "=1+1", "due": None}]}, "steps") == "line,due\n'=1+1,\n"


@pytest.mark.parametrize(
    ("below", "value", "against", "room"),
    [(True, 120, 100, 0), (True, 119, 100, -1), (True, 121, 100, 1), (False, 120, 100, 0), (False, 121, 100, -1),
     (True, 0, 0, 0), (True, 121, 101, -1), (False, 121, 101, 0)],
)  # fmt: skip
def test_headroom_is_what_may_still_be_lost(below: bool, value: int, against: int, room: int) -> None:
    level = Level("lockup", below, Fraction(6, 5))
    assert headroom(level, value, against) == room
    tripped = value * 5 < against * 6 if below else value * 5 > against * 6
    assert (room < 0) == tripped


def test_words() -> None:
    assert [usdc(one) for one in (0, 9_999, -10_000, 1_234_567_899_999)] == ["0.00", "0.00", "−0.01", "1,234,567.89"]
    assert [ratio(one) for one in (None, 999_999, 1_200_000)] == ["–", "0.999", "1.200"]
    assert [bound(one) for one in (1_200_000, 1_375_000, 50_000)] == ["1.20", "1.375", "0.05"]
    assert measured(5_300_000, "rate") == "5.3 %" and measured(-2_000_000, "rate") == "−2 %"
    assert measured(None, "Wh") == "not attested" and measured(12, "count") == "12"
    assert short_usdc(2_499_400 * USDC) == "2.4m"


def run(*words: str) -> Any:
    done = CliRunner().invoke(app, ["deal", *words, "--json"], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_from_the_command_line(plant: ReportPlant, tmp_path: Path) -> None:
    """Read-only doors open beside the workspace's owner."""
    workspace, out = str(plant.workspace.path), tmp_path / "out"
    said = run("report", "first", "--period", "2", "--out", str(out), "-w", workspace)
    assert sorted(path.name for path in out.iterdir()) == sorted(Path(file).name for file in said["files"])
    assert said["number"] == 2 and (out / "report.html").stat().st_size > 10_000
    assert run("verify", str(out / "report.json"), "--against", workspace)["made_again"]
    assert not run("verify", str(out / "report.json"))["made_again"]

"""What the demo says on the terminal: nothing cut, no colour when piped, every figure where it belongs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import told

from penstock.cli.demo import lines, spoken
from penstock.cli.demo.play import Stage

FOLDER = Path("demo")


def say(capsys: pytest.CaptureFixture[str], change: dict[str, dict[str, object]] | None = None) -> str:
    stages = told.stages(FOLDER)
    spoken.opening(told.settings(FOLDER))
    for number, stage in enumerate(stages, 1):
        stage.figures |= (change or {}).get(stage.name, {})
        spoken.stage(number, len(stages), stage)
    spoken.closing(told.settings(FOLDER), stages, 12, FOLDER / "story.html")
    return capsys.readouterr().out


def test_no_line_is_wide_or_cut_and_none_has_colour(capsys: pytest.CaptureFixture[str]) -> None:
    out = say(capsys)
    wide = [line for line in out.splitlines() if len(line) > lines.WIDTH and "penstock " not in line]
    assert wide == []
    assert "…" not in out
    assert "\x1b" not in out


def test_the_weeks_waterfall_fits_with_large_figures(capsys: pytest.CaptureFixture[str]) -> None:
    names = ("roofs", "servicer", "A", "B", "E")
    steps = [told.step("collect", f"paid/{name}", 1, 9_999_999_999) for name in names]
    steps += [told.step("collect", name, 1, 999_990_000) for name in ("dsra", "trap")]
    periods = [{**told.periods()[1], "inflow_usdc_micro": 99_999_990_000, "steps": steps}]
    spoken.stage(7, 9, Stage("pay", "x", {**told.stage(FOLDER, "pay").figures, "periods": periods}))
    lines = capsys.readouterr().out.splitlines()
    row = next(line for line in lines if line.startswith("  Tue 23 Aug"))
    head = next(line for line in lines if "DSCR" in line)
    assert head.split() == ["day", "state", "DSCR", "cover", "in", "roofs", "servicer", "A", "dsra", "B", "trap", "E"]
    assert row.count("9,999.99") == 6
    assert max(len(line) for line in lines) <= 120


@pytest.mark.parametrize(
    "sentence",
    [
        "measured the shape of the power: 15-minute AC power of NREL's SERF East array",
        "modelled roof sizes and planes, the battery, the requests, the rack's draw, all prices, the rents of",
        "1 bad packets were planted, 1 refused: kept, marked, never counted",
        f"bad_signature 1 {told.WHY}",
        f"roof-003 signs well and lies: 1,234 readings in quarantine, {told.COPIED}",
        "roof-001 sells 25.00 % of its week to an offtaker: 1.5 kWh at P50, for $60.00 a MWh",
        "its price, $0.09, waits in escrow, beside $0.00 of the seller's collateral",
        "6.0 kWh as likely as not (P50), 3.0 kWh nine times of ten (P90)",
        "46 hourly certificates over 4.6 kWh",
        "of them were sold ahead and went to their buyer in 2 deliveries, which earned $0.06",
        "settled: 0 Wh missing, $0.02 of the price back to the buyer, $0.00 of collateral back to the seller",
        "0.0 kWh bought at noon with their certificates, which are claimed for the charge",
        "2 roofs' certificates of one hour, 0.0 kWh that nobody used, are one id on chain",
        "retired there for the first answers of rack-1: badge 1",
        "Certificate " + "0x" + "ce" * 20,
        "100.00 % of 4.2 kWh matched hour by hour, 98.76 % carbon-free",
        "location-based 1.235 kg what the grid's mix emitted for the same energy",
        "market-based, hourly 0.052 kg only certificates of the very hour count",
        "avoided, apart 1.979 kg never netted with the others",
        "missing: 2 register-hours without readings",
        "the grid's factors are modelled: nobody published them",
        "proofs demo/report247.json: 29 facts, each in the anchored tree",
        "answer 9, given after sunset: through the battery, back to the roofs",
        "store: battery-1/charge 3 Wh [4, 7)",
        "in all 20 60 1,300.0 14 2",
        "Mon 22 Aug normal 1.50 1.13 2,000.00 80.00 1,000.00 500.00 0.00 420.00",
        "Tue 23 Aug lock-up 0.77 1.05 800.00 30.00 1,000.00 0.00 0.00 0.00",
        "lock-up on Tue 23 Aug: distributions were held back",
        "its pool: 3 assets pledged to it alone, $2,411,000.00 outstanding: a loan a roof",
        "nothing is lent on roof-003: their readings wait in quarantine",
        "$480.00 are 4 payments the servicer matched to asset, contract and bill",
        "accelerators were marked at 95, 62 % of new",
        "tripped and not cured by its end, at the lowest dscr 0.77 against 1.20, cover 1.05 against 1.00",
        "none would in a median week: penstock demo --weather median --rents median",
        "47 of 150 holders of A said yes, each by its own transaction: 50.50 % of all its shares, 50.00 % were needed",
        "from the next close on backup-servicer is paid what the servicer was: 0x" + "5e" * 20,
        "day 2, lock-up: dscr 0.77 sources and uses, each test with its headroom",
        "holder-0001 holds A, E, a claim of $1,000.00; behind it 3 assets, $999.99 of them its part",
        "roof-001/export: 3 of 2,000 Wh of the last day",
        "look demo/look-through.json: 17 facts proved",
        "rents cheap, of accelerators",
        "on Tue 23 Aug the reserve paid A $230.00",
        "holders of A 150 1.00 75.50 150.00 11,325.00",
        "verifies offline, 77,431 bytes: 39 facts in the log",
        "by night verifies offline, 88,111 bytes: 41 facts in the log",
        "audit clean: the five laws over 1,851 facts",
        "energy 3.9 % of what came in",
        "12 facts added; run it again and none will be",
        "penstock trace answer 7 -w demo",
        "penstock verify demo/bundle.json",
        "penstock certificate carbon check demo/report247.json --against demo",
        "penstock serve -w demo",
    ],
)
def test_it_says(capsys: pytest.CaptureFixture[str], sentence: str) -> None:
    assert sentence in re.sub(r"\s+", " ", say(capsys))


def test_dollars_in_are_said_to_equal_dollars_out_only_where_they_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert "; equal to the micro-dollar" in re.sub(r"\s+", " ", say(capsys))
    short: dict[str, dict[str, object]] = {
        "prove": {"balances_usdc_micro": {"collect": 0, "dsra": 269_999_999, "trap": 0}}
    }
    assert "NOT EQUAL to the micro-dollar" in re.sub(r"\s+", " ", say(capsys, short))


def test_a_tree_that_is_not_anchored_is_not_said_to_be(capsys: pytest.CaptureFixture[str]) -> None:
    out = re.sub(r"\s+", " ", say(capsys, {"report": {"anchored": False}}))
    assert "29 facts, each in the tree" in out
    assert "anchored tree" not in out


def test_where_no_answer_came_by_night_none_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert "after sunset: through" not in say(capsys, {"prove": {"evening": None}})


def test_findings_of_the_audit_are_shouted(capsys: pytest.CaptureFixture[str]) -> None:
    audit = {"clean": False, "checked": {"facts": 2}, "findings": [{}]}
    assert "1 FINDINGS" in say(capsys, {"prove": {"audit": audit}})


def test_a_name_from_a_file_is_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    assert "[bold]First[/bold] [x:" in say(capsys, {"launch": {"deal": "[bold]First[/bold] [x"}})


def test_a_repeat_says_that_nothing_was_added(capsys: pytest.CaptureFixture[str]) -> None:
    spoken.closing(told.settings(FOLDER), told.stages(FOLDER), 0, FOLDER / "story.html")
    assert "0 facts added; all were there already" in capsys.readouterr().out

"""A cloud over one day moves revenue, cover and coupons by exactly what hand-written arithmetic says."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from by_hand import Day, Deal
from staging import DEAL, SMALL, Played, on_chain, play
from typer.testing import CliRunner

from penstock.cli.demo.fleet import roofs
from penstock.cli.main import app
from penstock.errors import Invalid

TRANCHES = ("A", "B", "E")


def worked_out(played: Played) -> list[Day]:
    """The days by hand, from the tokens and Wh that the play tells."""
    watts = [
        roof.size_w for roof in roofs(hashlib.sha256(b"first light").digest(), played.stage("connect")["rooftops"])
    ]
    doubted = tuple(int(name[-3:]) - 1 for name in played.stage("launch")["pool"]["doubted"])
    deal = Deal(watts, doubted)
    *first, last = played.stage("serve")["days"]
    paid = [deal.day(day["tokens"], day["energy_wh"]) for day in first]
    return [*paid, deal.day(last["tokens"], last["energy_wh"], played.stage("agent")["paid_usdc_micro"])]


def assert_told_as_worked_out(played: Played, by_hand: list[Day]) -> None:
    periods = played.stage("pay")["periods"]
    assert [one["state"] for one in periods] == [day.state for day in by_hand]
    assert [one["inflow_usdc_micro"] for one in periods] == [day.dollars for day in by_hand]
    assert [one["measures"][1] for one in periods] == [day.cfads for day in by_hand]
    assert [one["measures"][3] for one in periods] == [day.base for day in by_hand]
    assert [paid(one) for one in periods] == [day.paid for day in by_hand]


def paid(period: dict[str, object]) -> dict[str, int]:
    """What a period paid to each payee."""
    found = dict.fromkeys(("roofs", "servicer", *TRANCHES), 0)
    steps = period["steps"]
    assert isinstance(steps, list)
    for step in steps:
        room, _, payee = step["target"].rpartition("/")
        if room == f"{DEAL}/paid":
            found[payee] += step["paid_usdc_micro"]
    return found


def assert_coupons(played: Played, by_hand: list[Day]) -> None:
    """Each holder has its share of what its tranche was paid; a payment leaves less than a micro-dollar a holder."""
    told = played.stage("income")
    balances = on_chain(played.workspace)["balances"]
    for tranche in TRANCHES:
        shares = sorted(one for one in balances[f"{DEAL}/{tranche}"] if one)
        total = sum(day.paid[tranche] for day in by_hand)
        coupons = told["coupons_usdc_micro"][tranche]
        expected = [total * share // sum(shares) for share in shares] if total else []
        assert len(coupons) == len(expected)
        assert all(0 <= due - got <= len(by_hand) for due, got in zip(expected, coupons, strict=True))


def compare(clear: Played, clouded: Played, at: int, percent: int) -> tuple[list[Day], list[Day]]:
    """Both plays as worked out; the cloud darkened day ``at`` alone, to ``percent``, and cost what it cost."""
    before, after = worked_out(clear), worked_out(clouded)
    for played, by_hand in ((clear, before), (clouded, after)):
        assert_told_as_worked_out(played, by_hand)
        assert_coupons(played, by_hand)
    count = clear.stage("connect")["rooftops"]
    for number, (sun, shade) in enumerate(zip(_certified_wh(clear), _certified_wh(clouded), strict=True)):
        assert abs(shade * 100 - sun * (percent if number == at else 100)) <= 100 * count  # each roof floors its Wh
    lost = _credits(clear) - _credits(clouded)
    assert lost > 0
    assert sum(day.dollars for day in before) - sum(day.dollars for day in after) == lost * 2_600
    return before, after


def _credits(played: Played) -> int:
    """Whole credits of a thousand tokens that all days' answers filled."""
    tokens: int = played.stage("serve")["tokens"]
    return tokens // 1_000


def _certified_wh(played: Played) -> list[int]:
    hours = [hour["certified_wh"] for hour in played.stage("prove")["hours"]]
    return [sum(hours[first : first + 24]) for first in range(0, len(hours), 24)]


def test_a_cloud_on_the_first_day_costs_the_equity_its_coupon(undisturbed: Played, tmp_path: Path) -> None:
    clouded = play(tmp_path / "clouded", "--cloud", "2016-08-22=20")
    before, after = compare(undisturbed, clouded, 0, 20)
    assert (before[0].state, after[0].state) == ("normal", "lockup")
    assert after[0].cfads * 100 < after[0].due_a * 120 <= before[0].cfads * 100
    assert before[0].paid["E"] > 0 == after[0].paid["E"]
    assert after[0].paid["B"] < before[0].paid["B"]


@pytest.mark.nightly
def test_a_cloud_on_the_friday_of_the_whole_week(tmp_path: Path) -> None:
    clear = play(tmp_path / "clear", size=())
    clouded = play(tmp_path / "clouded", "--cloud", "2016-08-26=30", size=())
    before, after = compare(clear, clouded, 4, 30)
    assert after[4].cfads * 100 < after[4].due_a * 120 <= before[4].cfads * 100
    assert [day.state for day in before] != [day.state for day in after]
    assert sum(day.paid["E"] for day in after) < sum(day.paid["E"] for day in before)
    assert sum(day.paid["B"] for day in after) < sum(day.paid["B"] for day in before)


@pytest.mark.parametrize("said", ["2016-08-22", "2016-08-22=101", "2016-08-22=-1", "2016-08-25=30", "22 August=30"])
def test_a_cloud_that_is_none_is_refused_before_anything_is_made(said: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["demo", "-w", str(tmp_path / "workspace"), *SMALL, f"--cloud={said}"])
    assert isinstance(done.exception, Invalid)
    assert done.exception.code in ("demo.cloud", "period.malformed")
    assert done.exception.hint
    assert not (tmp_path / "workspace").exists()

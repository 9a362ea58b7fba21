"""The report of a serviced deal: what counts in which period, how assets stand on a tape, a close without a report."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kept_story import KeptStory
from servicing_kit import DEAL, TEXT, USDC, month, payment

from penstock.capital.compile import COMPILER, compile_deal
from penstock.capital.language import load_deal
from penstock.journal.fact import Entry
from penstock.journal.kinds.servicing import CollectionKind, DealAmended, TestWaived
from penstock.journal.laws import breaches
from penstock.period import DAY_US
from penstock.usecases.investor_report.build import check_report, deal_report
from penstock.usecases.investor_report.page import html_of, json_of
from penstock.usecases.servicing.dispute import dispute, disputed
from penstock.usecases.servicing.report import Standing
from penstock.usecases.servicing.write_off import write_off

PRINCIPAL = CollectionKind.PRINCIPAL
MID, AFTER = month(0).start_us + 14 * DAY_US, month(0).stop_us + 2 * DAY_US


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KeptStory]:
    """January: interest 165, of which 5 from the sponsor, principal 100. February: 11 that came late, 5 of principal,
    a loss of 1,500, a loan 45 days behind, a dispute; and no fresh report.
    """
    made = KeptStory(tmp_path_factory.mktemp("serviced") / "story")
    made.pooled()
    made.at(MID).paid(
        payment("loan-1", 160 * USDC, MID), payment("loan-1", 100 * USDC, MID, PRINCIPAL),
        payment("loan-4", 5 * USDC, MID),
    )  # fmt: skip
    made.at(AFTER).taped(0)
    made.closed(0)
    made.paid(payment("loan-2", 11 * USDC, MID), payment("loan-2", 5 * USDC, AFTER, PRINCIPAL))
    made.tell(write_off(made.world, DEAL, {"loan-3": 1_500 * USDC}, "bankrupt"))
    made.tell(dispute(made.world, disputed(DEAL, "d-1", "loan-4", 40 * USDC, "wrong meter")))
    standings = {"loan-2": Standing(2_995 * USDC, 45), "loan-1": Standing(3_900 * USDC)}
    standings |= {"loan-3": Standing(500 * USDC), "loan-4": Standing(1_000 * USDC)}
    made.at(month(1).stop_us + DAY_US).taped(1, standings)
    made.closed(1, fresh=False)
    with made.workspace:
        yield made


@pytest.fixture(scope="module")
def told(story: KeptStory) -> list[dict[str, Any]]:
    return [json.loads(json_of(deal_report(story.workspace, DEAL, period).told)) for period in (0, 1)]


def test_collections_count_where_the_measures_count_them(story: KeptStory, told: list[dict[str, Any]]) -> None:
    came_in = story.world.capital.servicing.of(DEAL).came_in
    for period, one in enumerate(told):
        counted = sum(micro for (when, *_), micro in came_in.items() if when == period)
        assert sum(row["usdc_micro"] for row in one["servicing"]["collections"]) == counted
    january, february = (one["servicing"] for one in told)
    assert january["collections"] == [
        {"kind": "interest", "usdc_micro": 165 * USDC}, {"kind": "principal", "usdc_micro": 100 * USDC},
    ]  # fmt: skip
    assert january["flagged"] == [{"flag": "related", "usdc_micro": 5 * USDC}]
    assert (january["late_usdc_micro"], february["late_usdc_micro"]) == (0, 11 * USDC)
    assert (january["written_off_usdc_micro"], february["written_off_usdc_micro"]) == (0, 1_500 * USDC)
    assert [event["kind"] for event in february["events"]] == ["asset.disputed"]


def test_assets_stand_as_the_periods_own_tape_says(told: list[dict[str, Any]]) -> None:
    january, february = ({row["bucket"]: row for row in one["pool"]["delinquency"]} for one in told)
    assert january["current"] == {"bucket": "current", "assets": 4, "usdc_micro": 9_900 * USDC}
    assert february["31 to 60 days"] == {"bucket": "31 to 60 days", "assets": 1, "usdc_micro": 2_995 * USDC}
    assert february["written off"] == {"bucket": "written off", "assets": 1, "usdc_micro": 1_500 * USDC}
    assert [one["pool"]["tape"] for one in told] == [1, 2]
    parts = {part["by"]: part["names"] for part in told[1]["pool"]["concentrations"]}
    assert parts["standing"][0]["name"] == "performing"
    assert {row["name"] for row in parts["standing"]} == {"performing", "delinquent", "disputed", "defaulted"}


def test_a_close_without_a_report_says_so_and_compares_nothing(told: list[dict[str, Any]]) -> None:
    january, february = told
    assert january["fresh"] and january["attested"]["quorum"] == 2
    assert not february["fresh"] and february["attested"] is None
    (test,) = february["tests"]
    assert (test["stale"], test["value"], test["ratio_millionths"], test["state"]) == (True, None, None, "turbo")
    assert [measure["value"] for measure in february["measures"]] == [None] * 6
    assert "closed as stale" in html_of(february)


def test_what_was_owed_and_not_paid_is_carried(told: list[dict[str, Any]]) -> None:
    (servicer, _) = told[1]["fees"]
    assert (servicer["paid_usdc_micro"], servicer["arrears_usdc_micro"]) == (16 * USDC, 24 * USDC)
    short = {
        (one["target"], one["what"]): one["short_usdc_micro"] for one in told[1]["steps"] if one["short_usdc_micro"]
    }
    (a, _) = told[1]["tranches"]
    assert short == {("servicer", "fee"): 24 * USDC, ("A", "interest"): a["interest_arrears_usdc_micro"]}  # no sweep
    assert a["interest_arrears_usdc_micro"] == 9_000 * USDC * 6 * 28 // (100 * 365)


def test_each_report_is_made_again_from_the_facts_of_its_time(story: KeptStory, told: list[dict[str, Any]]) -> None:
    assert all(check_report(one, story.workspace)["made_again"] for one in told)
    early = json.loads(json_of(deal_report(story.workspace, DEAL, 0, told[0]["fact"] + 1).told))
    late = told[0]
    names = early.keys() - {"facts", "evidence"}
    assert {name: early[name] for name in names} == {name: late[name] for name in names}


def test_the_books_keep_their_laws(story: KeptStory) -> None:
    assert breaches(story.world.books) == ()


def test_a_waiver_and_an_amendment_count_from_when_they_were_voted(tmp_path: Path) -> None:
    """February has no report: the test would ask for turbo, and is waived. From March the servicer has 70, not 40."""
    made = KeptStory(tmp_path / "voted")
    with made.workspace:
        made.pooled()
        made.at(MID).paid(payment("loan-1", 300 * USDC, MID))
        made.at(AFTER).taped(0)
        made.closed(0)
        before = deal_report(made.workspace, DEAL, 0).told
        made.tell([Entry(TestWaived(DEAL, "oc", 2, 1, "the bank was closed"))])
        made.at(month(1).stop_us + DAY_US).taped(1)
        assert made.closed(1, fresh=False).state == "normal"
        text = TEXT.replace("servicer: {amount: 40 USDC}", "servicer: {amount: 70 USDC}")
        program = compile_deal(load_deal(text))
        amended = (text, program.deal_hash, program.code, program.program_hash, program.rows, COMPILER)
        made.tell([Entry(DealAmended(DEAL, 2, *amended, 2, "more work"))])
        made.at(month(2).stop_us + DAY_US).taped(2)
        made.closed(2)
        waived, after = (deal_report(made.workspace, DEAL, period).told for period in (1, 2))
        assert waived["tests"][0]["waived"] and not after["tests"][0]["waived"]
        assert [one["fees"][0]["due_usdc_micro"] for one in (waived, after)] == [40 * USDC, 70 * USDC]
        assert after["edition"]["program_hash"] == program.program_hash.hex() != before["edition"]["program_hash"]
        late = deal_report(made.workspace, DEAL, 0).told
        names = before.keys() - {"facts", "evidence"}
        assert {name: late[name] for name in names} == {name: before[name] for name in names}
        for told in (waived, after, late):
            assert check_report(json.loads(json_of(told)), made.workspace)["made_again"]

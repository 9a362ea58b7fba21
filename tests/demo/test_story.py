"""The story page: self-contained, escaped, the same bytes for the same run, and true to the figures."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
import told
from markupsafe import Markup

from penstock.cli.demo import look_through
from penstock.cli.demo.fleet import Cloud
from penstock.cli.demo.pictures import coupons, days, sankey, svg, walk, week
from penstock.cli.demo.play import Settings
from penstock.cli.demo.story import write_story
from penstock.cli.demo.waterfall import days_paid, local_day, payees
from penstock.period import iso

VOID = {"meta", "br", "link", "img"}


class Outline(HTMLParser):
    """Tags as they open and close, attributes that could fetch something, and all text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []
        self.fetches: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        self.fetches += [f"{tag} {key}={value}" for key, value in attrs if key in ("src", "href", "action", "data")]
        self.fetches += [f"{tag} {key}" for key, _ in attrs if key.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def write(folder: Path, change: dict[str, dict[str, object]] | None = None, cloud: Cloud | None = None) -> str:
    settings, stages = told.settings(folder), told.stages(folder)
    if cloud:
        settings = Settings(folder, settings.sunshine, settings.seed, settings.deal_text, cloud)
    for stage in stages:
        stage.figures |= (change or {}).get(stage.name, {})
    write_story(folder / "story.html", settings, stages)
    return (folder / "story.html").read_text("utf-8")


def outline(page: str) -> Outline:
    found = Outline()
    found.feed(page)
    found.close()
    return found


def said(page: str) -> str:
    return re.sub(r"\s+", " ", outline(page).text)


def test_the_page_is_whole_and_asks_for_nothing(tmp_path: Path) -> None:
    page = write(tmp_path)
    found = outline(page)
    assert found.open == []
    assert found.fetches == []
    assert not {"script", "link", "img", "iframe", "object", "form", "a"} & set(found.seen)
    assert "default-src 'none'; style-src 'unsafe-inline'; img-src data:" in page
    assert "@import" not in page
    assert re.findall(r"url\((?!#)[^)]*\)", page) == []


def test_the_same_run_writes_the_same_bytes_and_leaves_them_alone(tmp_path: Path) -> None:
    first = write(tmp_path)
    before = (tmp_path / "story.html").stat().st_mtime_ns
    for stage_seconds in (0.5, 9.0):
        stages = told.stages(tmp_path)
        for stage in stages:
            stage.seconds = stage_seconds
        stages[[stage.name for stage in stages].index("pay")].figures["attesters"] = {
            f"attester-{n}": n for n in (1, 2, 3)
        }
        write_story(tmp_path / "story.html", told.settings(tmp_path), stages)
    assert (tmp_path / "story.html").read_text("utf-8") == first
    assert (tmp_path / "story.html").stat().st_mtime_ns == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["story.html"]


def test_neither_the_machines_paths_nor_its_processes_are_told(tmp_path: Path) -> None:
    page = write(tmp_path)
    assert str(tmp_path) not in page
    assert "7000001" not in page


def test_everything_is_escaped(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    changes: dict[str, dict[str, object]] = {
        "launch": {"deal": evil},
        "badge": {"purpose": evil},
        "forward": {"seller": evil},
        "report": {"missing": [{"what": "x", "count": 1, "sentence": evil}]},
        "prove": {
            "back": told.back(evil),
            "evening": {**told.stage(tmp_path, "prove").figures["evening"], "back": told.back_by_night(evil)},
            "planted_at": [{"hour": iso(told.START_US), "device": evil, "kind": "forged"}],
        },
        "income": {"largest_tariff": (f'"{evil}', 1)},
    }
    page = write(tmp_path, changes)
    assert "<script" not in page
    assert page.count("&lt;script&gt;") >= 9


@pytest.mark.parametrize(
    "sentence",
    [
        "2 days, from the kilowatt-hour to the AI token",
        "Mon 22 Aug to Tue 23 Aug 2016",
        "1 bad packets were planted among them, and 1 were refused",
        "roof-003 signed well and lied: 1,234 of its readings wait in quarantine",
        "There is no hour in which it drew more than it claimed.",
        "it claimed 4.1 kWh, each certificate in the very hour",
        "0.0 kWh had been sold ahead, 0.0 kWh were retired, and 0.5 kWh were used by nobody",
        "roof-001 had sold 25.00 % of its week to an offtaker: 1.5 kWh of the 6.0 kWh that were as likely as not",
        "handed over in 2 deliveries, before the roof could sell them to anybody else; they earned $0.06.",
        "9 of 10 Wh come back",
        "The rack claimed 0.0 kWh of what came back; 0.0 kWh found no use.",
        "Answer 9 was given at night.",
        "retired there for the first answers of rack-1, which made badge 1",
        "100.00 % of what it drew is matched in the very hour; carbon-free, with what the grid adds, 98.76 %.",
        "location-based1.235 kgwhat the grid's mix emitted for the same energy",
        "the proofs of the 29 facts that it rests on. Missing: 2 register-hours without readings.",
        "penstock trace answer 9 -w .",
        "88,111 bytes, through the battery: 41 facts in the log",
        "penstock verify bundle-evening.json --log-key " + "2a" * 32,
        "penstock certificate carbon check report247.json --against .",
        "It was in lock-up on Tue 23 Aug: distributions were held back",
        "Reserves gave $230.00",
        "The covenants tripped and not cured by its end, at the lowest dscr 0.77 against 1.20, cover 1.05 against 1.00",
        "Below 1.00 it asks for sweep",
        "Sunlit Compute rests on 3 assets pledged to it alone, $2,411,000.00 outstanding",
        "On roof-003 nothing is lent: their readings wait in quarantine.",
        "62.5 %1180.00",
        "said yes, each by its own transaction: 50.50 % of all its shares, where 50.00 % are needed",
        "holder-0001 holds A, E: a claim of $1,000.00, whose part of the 3 assets is $999.99",
        "rack-1standby-rack-19xj4nmeter_signed2,400,000.00999.00",
        "penstock deal verify investor-report/report.json --against .",
        "penstock deal verify look-through.json --against .",
        "Behind it stand the very watt-hours of 2 roofs",
        "The roofs' energy is 3.9 % of what came in ($110.00 of $2,800.00)",
        "1,851 facts; anchored on chain up to fact 1,849",
        "penstock verify bundle.json --log-key " + "2a" * 32,
        "The bundle says: The rack is modelled.",
    ],
)
def test_the_page_says(tmp_path: Path, sentence: str) -> None:
    assert sentence in said(write(tmp_path))


def test_an_hour_that_drew_more_than_it_claimed_is_told(tmp_path: Path) -> None:
    hours = told.stages(tmp_path)[-1].figures["hours"]
    hours[5]["drawn_wh"] = 91
    assert "In 1 hours it drew more than it claimed" in said(write(tmp_path, {"prove": {"hours": hours}}))


def test_an_audit_with_findings_is_not_called_clean(tmp_path: Path) -> None:
    audit = {"clean": False, "checked": {"facts": 2}, "findings": [{}, {}]}
    page = said(write(tmp_path, {"prove": {"audit": audit}}))
    assert "2 findings" in page
    assert "clean 1,851" not in page


def test_a_clouded_day_is_named(tmp_path: Path) -> None:
    page = write(tmp_path, cloud=Cloud("2016-08-23", 30))
    assert "except 2016-08-23: cut to 30 % of its measured sunshine" in said(page)
    assert 'class="line-soft"' in page


def test_exact_figures_stand_behind_the_rounded_ones(tmp_path: Path) -> None:
    page = write(tmp_path)
    assert '<b title="2,800,000,001 micro-dollars">$2,800.00</b>' in page
    assert '<b title="4,800 Wh">4.8 kWh</b>' in page


def test_days_paid_sums_by_payee_and_tells_reserves_apart() -> None:
    normal, locked = days_paid(told.periods(), "collect")
    assert normal.by_payee == {"roofs": 80_000_000, "A": 1_000_000_000, "dsra": 500_000_000, "E": 420_000_001}
    assert normal.inflow == sum(normal.by_payee.values())
    assert locked.from_reserves == {"A": 230_000_000}
    assert locked.inflow == sum(locked.by_payee.values()) - 230_000_000
    assert (normal.word, locked.word) == ("normal", "lock-up")
    assert normal.cover == 1.5
    assert locked.cover == 0.77


def test_a_day_without_a_report_has_no_cover() -> None:
    (day,) = days_paid([{**told.periods()[0], "ratios": {"dscr": None}}], "collect")
    assert day.cover is None


def test_payees_stand_in_the_order_of_seniority_and_others_follow() -> None:
    steps = [told.step("collect", f"paid/{name}", 1, 1) for name in ("mezz", "E", "B", "roofs", "A")]
    days_of = days_paid([{**told.periods()[0], "steps": steps}], "collect")
    assert payees(days_of) == ["roofs", "A", "B", "E", "mezz"]


def test_a_local_day_begins_at_seven_utc() -> None:
    assert local_day("2016-08-22T07:00:00Z") == "Mon 22 Aug"
    assert local_day("2016-08-22T06:59:59Z") == "Sun 21 Aug"
    assert local_day("2016-08-29T07:00:00Z", -1) == "Sun 28 Aug"


@pytest.mark.parametrize(
    ("most", "marks"),
    [(6.0, [0, 2, 4, 6]), (0.0, [0]), (0.9, [0, 0.25, 0.5, 0.75, 1.0]), (201, [0, 100, 200, 300])],
)
def test_ticks_are_round_and_reach_the_most(most: float, marks: list[float]) -> None:
    assert svg.ticks(most) == marks


def test_markup_stays_and_text_is_escaped() -> None:
    assert svg.tag("text", Markup("<b>x</b>"), "a<b", x=1.50, class_='"q"', gone=None) == (
        '<text x="1.5" class="&#34;q&#34;"><b>x</b>a&lt;b</text>'
    )


def test_bars_of_the_waterfall_end_where_the_dollars_do() -> None:
    drawn = days.waterfall(days_paid(told.periods(), "collect"), ["roofs", "A", "dsra", "E"])
    bars = re.findall(r'<rect x="([\d.]+)" y="34" width="([\d.]+)" [^>]*class="to-', drawn)
    tick = re.search(r'<line x1="([\d.]+)" y1="30"', drawn)
    assert tick is not None
    assert len(bars) == 4
    assert float(bars[-1][0]) + float(bars[-1][1]) == pytest.approx(float(tick[1]), abs=0.05)
    assert "230,000,000 micro-dollars from the reserve" in drawn
    assert drawn.count("lock-up") == 1


def test_a_day_below_the_floor_has_another_shape() -> None:
    drawn = days.cover(days_paid(told.periods(), "collect"), "dscr", 1.2, "Cover")
    assert len(re.findall(r'class="ok-mark"', drawn)) == 1
    assert len(re.findall(r'class="lock-mark"', drawn)) == 1
    assert "floor 1.20" in drawn


def test_the_streams_widths_are_one_unit() -> None:
    high = bars(sankey.sankey(stream()))
    assert [one / high[0] for one in high] == pytest.approx([1, 0.85, 0.18, 0.02, 0.1, 0.03, 0.6, 0.25])


def stream(**other: int) -> sankey.Stream:
    """1,000 Wh: 700 to the rack, 200 to the battery, which gives 180 back; the rack claims 150 of those."""
    energy_wh = {
        "certified_wh": 1_000, "direct_wh": 700, "charged_wh": 200, "returned_wh": 180, "evening_wh": 150,
        "retired_wh": 12, "forward_wh": 9, "answers_wh": 600, "idle_wh": 250,
    }  # fmt: skip
    return sankey.Stream(**(energy_wh | other), roofs=2, answers=20, tokens=60, billed="$1")


def bars(drawn: Markup) -> list[float]:
    return [float(one) for one in re.findall(r'<rect [^>]*height="([\d.]+)"', drawn)]


def test_what_flows_into_the_stream_flows_out_of_it() -> None:
    of = stream()
    assert of.certified_wh == of.direct_wh + of.charged_wh + of.unused_wh
    assert of.charged_wh == of.evening_wh + of.left_wh + of.loss_wh
    assert of.drawn_wh == of.answers_wh + of.idle_wh
    for said in (
        "200 Wh claimed for the battery",
        "150 Wh given back, matched",
        "20 Wh lost",
        "30 Wh given back, used",
    ):
        assert said in sankey.sankey(of)


def test_a_week_without_a_battery_draws_none() -> None:
    of = stream(charged_wh=0, returned_wh=0, evening_wh=0, direct_wh=850)
    drawn = sankey.sankey(of)
    assert len(bars(drawn)) == 5
    assert "store" not in drawn


def test_an_hours_bar_is_its_certificates_each_once() -> None:
    noon, night = told.hour(12), told.hour(20)
    (drawn_noon, drawn_night) = (week.hours(told.WEEK, [one]) for one in (noon, night))
    assert [100 * one / sum(bars(drawn_noon)) for one in bars(drawn_noon)] == pytest.approx([70, 20, 2, 3, 5], abs=0.02)
    assert [18 * one / sum(bars(drawn_night)) for one in bars(drawn_night)] == pytest.approx([16, 2], abs=0.02)
    assert re.findall(r'class="(sun|store|charged|forward|retired|unsold)"', drawn_noon) == [
        "sun",
        "charged",
        "forward",
        "retired",
        "unsold",
    ]
    assert re.findall(r'class="(sun|store|charged|forward|retired|unsold)"', drawn_night) == ["store", "unsold"]


def test_an_answer_by_night_says_noon_at_the_roofs_and_evening_at_the_rack() -> None:
    traced = told.stage(Path(), "prove").figures["evening"]
    steps = look_through.hops(traced, "quorum", {"A": 150})
    found = {step.word: step.state for step in steps[:4]}
    assert found == {
        "roofs": "Mon 22 Aug 12:00, claimed, metered",
        "battery, charging": "Mon 22 Aug 12:00",
        "battery, giving back": "Mon 22 Aug 20:00, claimed",
        "rack's meter": "Mon 22 Aug 20:00",
    }


def test_without_an_answer_by_night_the_page_stands(tmp_path: Path) -> None:
    page = write(tmp_path, {"prove": {"evening": None}})
    assert outline(page).open == []
    assert "after sunset, through the battery" not in said(page)


def test_every_holder_falls_into_a_bar_or_is_a_dot() -> None:
    many = coupons.coupons(range(1_000_000, 151_000_000, 1_000_000), "A")
    assert sum(int(count) for count in re.findall(r"(\d+) holders took", many)) == 150
    assert coupons.coupons([20_000_000, 400_000_001], "E").count("<circle") == 2
    assert "<circle" not in coupons.coupons([], "E")


def test_a_hop_is_cut_by_what_stands_behind_it() -> None:
    parts = (walk.Part("a", "3 Wh", 3, "a"), walk.Part("b", "1 Wh", 1, "b"))
    drawn = walk.look_through([walk.Hop("roofs", "", "sun", parts, "meters", "claimed")], "x")
    left, right = (float(one) + 1.5 for one in re.findall(r'<rect [^>]*width="([\d.]+)"', drawn))
    assert left == pytest.approx(3 * right)


def test_every_planted_packet_has_a_mark_in_its_lane() -> None:
    planted = [
        {"hour": iso(told.START_US), "device": f"roof-{n}", "kind": kind} for n, kind in enumerate(week.FOUND_AS)
    ]
    sun = told.settings(Path()).sunshine
    drawn = week.sunshine(sun, [1.0] * len(sun.start_us), planted)
    assert drawn.count('class="x"') == len(week.FOUND_AS)
    assert all(f"roof-{n}" in drawn for n in range(len(planted)))

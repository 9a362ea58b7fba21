"""A day reviewed: twins and copies told in hourly packets, quarantined from its readings on, certified nowhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_plant import Plant, key_of, signed
from typer.testing import CliRunner

from penstock.cli.main import app
from penstock.energy.checks.sky import Sky
from penstock.energy.forms.cose import FIRST, packet_hash
from penstock.energy.verdict import ReadingVerdict
from penstock.errors import PenstockError, Refused, Unverified
from penstock.journal.fact import Entry
from penstock.journal.formats import REVIEWS
from penstock.journal.kinds.energy import ReadingsVerified
from penstock.journal.kinds.quarantine import ReadingsReviewed
from penstock.journal.segment import Column, Columns, Segment
from penstock.journal.words import Right
from penstock.period import DAY_US, HOUR_US, QUARTER_HOUR_US, parse_iso
from penstock.usecases import enrol
from penstock.usecases.attest import Replica
from penstock.usecases.certify import certify
from penstock.usecases.erase import ErasureAsked, erase
from penstock.usecases.explain import explain
from penstock.usecases.fleet import fleet
from penstock.usecases.ingest import ingest
from penstock.usecases.publish import Publication
from penstock.usecases.recheck import Recheck
from penstock.usecases.release import lift, release_device
from penstock.usecases.review import review_day
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

DAY_US_0 = parse_iso("2026-06-21T00:00:00Z")
NEXT_US = DAY_US_0 + DAY_US
CELL, ZONE = "9xj4", "US-PSCO"
OVER_US = DAY_US_0 + 2 * DAY_US
R = ReadingVerdict
SUN = Sky().profile(CELL, [(30, 180)], DAY_US_0 // DAY_US, 3)[0] * 4  # of a 4 kW roof [Wh each quarter-hour]
SUN[:28] = 0  # the evening before


def cloudy(seed: int, share: float = 0.9) -> Column:
    """An honest day and a half: never above the sky, with clouds of its own."""
    clouds = np.random.Generator(np.random.PCG64(seed)).uniform(0.3, share, len(SUN))
    energy: Column = np.floor(SUN * clouds).astype(np.int64)
    return energy


class Roofs(Plant):
    """Roofs of 4 kW in one cell; each tells the same kind of day in hourly packets."""

    def stand(self, *names: str) -> Roofs:
        self.do("accounts", lambda _: enrol.open_accounts([], ["wallets"]), DAY_US_0 - DAY_US)
        roofs = [enrol.Producer(name, key_of(name).public, 4_000, ZONE, CELL, DAY_US_0, 30, 180) for name in names]
        self.do("roofs", lambda world: enrol.enrol_producers(world, roofs), DAY_US_0)
        self._sent: dict[str, tuple[int, bytes]] = {}
        return self

    def send(self, name: str, energy: Column, first: int, stop: int, *, hours: int = 1) -> list[int]:
        """Quarter-hours ``first`` to ``stop`` in commands of some hours each; how each was judged."""
        verdicts: list[int] = []
        quarters, total = np.arange(first, stop), np.cumsum(energy)
        at_us, wh = (DAY_US_0 + (quarters + 1) * QUARTER_HOUR_US).tolist(), total[first:stop].tolist()
        sequence, previous = self._sent.get(name, (0, FIRST))
        raws = signed(name, at_us, wh, sequence, previous)
        self._sent[name] = (sequence + len(raws), packet_hash(raws[-1]))
        for start in range(0, len(raws), hours):
            part = raws[start : start + hours]
            received_us = at_us[min(4 * (start + hours), len(at_us)) - 1] + 1

            def decide(world: World, part: list[bytes] = part, received_us: int = received_us) -> list[Entry]:
                return ingest(world, part, received_us)

            receipt = self.do(f"{name}:{sequence + start}", decide, received_us)
            verdicts += self.columns(receipt, 1)["verdict"].tolist()
        return verdicts

    def all_readings(self) -> list[Columns]:
        rows = [row for row in self.workspace.facts() if isinstance(row.recorded.fact, ReadingsVerified)]
        return [columns for row in rows if (columns := self.workspace.columns(row)) is not None]

    def issued(self) -> dict[str, int]:
        """Wh certified, by roof."""
        titles = self.world.books.titles[Right.ATTRIBUTE].columns()
        found: dict[str, int] = {}
        for register, start, stop in zip(titles["register"], titles["start"], titles["stop"], strict=True):
            name = self.world.books.registers.urn(int(register)).split("/")[0]
            found[name] = found.get(name, 0) + int(stop - start)
        return found

    def certify(self, key: str = "certify") -> None:
        self.do(key, lambda world: certify(world, self.all_readings(), ZONE), OVER_US)


@pytest.fixture
def roofs(tmp_path: Path) -> Iterator[Roofs]:
    made = Roofs(tmp_path / "roofs")
    with made.workspace:
        yield made


def rechecked(roofs: Roofs, changed: dict[int, Entry] | None = None) -> World:
    """The record as an attester takes it in, some facts replaced."""
    world = World()
    recheck = Recheck(world)
    for row in roofs.workspace.facts():
        recorded, columns = row.recorded, roofs.workspace.columns(row)
        if changed and recorded.seq in changed:
            entry = changed[recorded.seq]
            recorded, columns = replace(recorded, fact=entry.fact), entry.segment.columns if entry.segment else None
        recheck.before(recorded, columns)
        world.apply(recorded, columns)
        recheck.after(recorded, columns)
    recheck.settle()
    return world


def guilty_day(roofs: Roofs) -> None:
    """One honest roof, one that says what it said, one that says 0.8 of it; hour by hour."""
    roofs.stand("honest", "twin", "copy", "other")
    day = cloudy(1)
    for hour in range(28, 128, 4):
        for name, energy in (("honest", day), ("twin", day), ("copy", day * 4 // 5), ("other", cloudy(2))):
            assert set(roofs.send(name, energy, hour, hour + 4)) == {0}


def test_what_hourly_packets_hide_a_review_finds_and_nothing_of_it_is_certified(roofs: Roofs) -> None:
    guilty_day(roofs)
    told = review_day(roofs.workspace, DAY_US_0, OVER_US)
    found = {row["device"]: row for row in told["found"]}
    assert set(found) == {"twin", "copy"}
    assert "twin" in found["twin"]["findings"]
    assert found["copy"]["findings"] == ["copied"]
    assert {row["outcome"] for row in told["found"]} == {"quarantined"}
    assert not any(row["certified_before"] for row in told["found"])
    assert told["registers"] == 4
    held = {row["device"]: row for row in fleet(roofs.workspace)["quarantined"]}
    assert set(held) == {"twin", "copy"}
    assert held["copy"]["found"] == ["copied"]
    roofs.certify()
    assert set(roofs.issued()) == {"honest", "other"}
    assert rechecked(roofs).energy.digest() == roofs.world.energy.digest()


def test_what_comes_later_of_the_guilty_waits_and_counts_once_overruled(roofs: Roofs) -> None:
    guilty_day(roofs)
    review_day(roofs.workspace, DAY_US_0, OVER_US)
    assert set(roofs.send("twin", cloudy(1), 128, 132)) == {R.HELD_BACK}
    with pytest.raises(Refused) as caught:
        roofs.do("lift", lambda world: lift(world, ["twin/export"], ["at_night"], "operator", "looked"), OVER_US)
    assert caught.value.code == "quarantine.reviewed"
    counts = dict(release_device(roofs.workspace, "twin", ["twin", "copied"], "operator", "the same roof", OVER_US))
    assert counts == {"readings accepted": 4}
    roofs.certify()
    assert roofs.issued()["twin"] == roofs.issued()["honest"] == roofs.read_wh("twin/export")
    again = review_day(roofs.workspace, DAY_US_0, OVER_US + 1)
    assert [row["device"] for row in again["found"]] == ["copy"]
    assert rechecked(roofs).energy.digest() == roofs.world.energy.digest()


def test_a_hold_without_waiting_readings_can_be_lifted_too(roofs: Roofs) -> None:
    guilty_day(roofs)
    review_day(roofs.workspace, DAY_US_0, OVER_US)
    assert dict(release_device(roofs.workspace, "copy", ["copied"], "operator", "looked", OVER_US)) == {}
    assert [row["device"] for row in fleet(roofs.workspace)["quarantined"]] == ["twin"]
    rechecked(roofs)


def test_the_commands_say_what_a_review_found(roofs: Roofs) -> None:
    guilty_day(roofs)
    assert "review" not in explain(roofs.workspace, "twin", DAY_US_0 + 20 * HOUR_US)["summary"]
    path = str(roofs.workspace.path)
    roofs.workspace.store.close()
    run = CliRunner().invoke
    bad = run(app, ["meter", "review", "--day", "yesterday", "--workspace", path])
    assert isinstance(bad.exception, PenstockError)
    assert bad.exception.code == "period.malformed"
    done = run(app, ["meter", "review", "--day", "2026-06-21", "--workspace", path])
    assert done.exit_code == 0, done.output
    assert "2026-06-21: 2 of 4 registers, 384 readings" in done.output
    held = json.loads(run(app, ["meter", "quarantine", "--workspace", path, "--json"]).output)["quarantined"]
    assert {row["device"]: row["found"] for row in held} == {"twin": ["copied", "twin"], "copy": ["copied"]}
    said = run(app, ["meter", "explain", "twin@2026-06-21T20:00:00Z", "--workspace", path, "--json"]).output
    assert "it counts. Every check passed. The review of a day found: copied, twin." in json.loads(said)["summary"]


def test_what_was_certified_before_the_review_stays_and_is_said(roofs: Roofs) -> None:
    guilty_day(roofs)
    roofs.certify()
    before = roofs.issued()
    told = review_day(roofs.workspace, DAY_US_0, OVER_US)
    assert all(row["certified_before"] for row in told["found"])
    assert roofs.issued() == before
    rechecked(roofs)


def test_what_is_merely_noted_holds_nobody(roofs: Roofs) -> None:
    roofs.stand("regulated", "other")
    for name, energy in (("regulated", np.where(SUN > 400, 300, 0)), ("other", cloudy(2))):
        for hour in range(28, 128, 4):
            assert set(roofs.send(name, energy, hour, hour + 4)) == {0}
    (row,) = review_day(roofs.workspace, DAY_US_0, OVER_US)["found"]
    assert (row["device"], row["findings"], row["outcome"]) == ("regulated", ["flat"], "noted")
    assert fleet(roofs.workspace)["quarantined"] == []
    roofs.certify()
    assert roofs.issued()["regulated"] == roofs.read_wh("regulated/export")
    rechecked(roofs)


def test_the_same_review_again_records_nothing(roofs: Roofs) -> None:
    guilty_day(roofs)
    first = review_day(roofs.workspace, DAY_US_0, OVER_US)
    size = roofs.workspace.store.size()
    assert review_day(roofs.workspace, DAY_US_0, OVER_US + 1) == first
    assert roofs.workspace.store.size() == size


@pytest.mark.parametrize(
    ("day_us", "at_us", "code"),
    [
        (DAY_US_0, DAY_US_0 + DAY_US + 12 * HOUR_US - 1, "review.too_early"),
        (DAY_US_0 + 1, OVER_US, "review.too_early"),
        (DAY_US_0 - 3 * DAY_US, OVER_US, "review.nothing"),
    ],
)
def test_a_day_that_cannot_be_reviewed(roofs: Roofs, day_us: int, at_us: int, code: str) -> None:
    roofs.stand("honest").send("honest", cloudy(1), 60, 64)
    size = roofs.workspace.store.size()
    with pytest.raises(PenstockError) as caught:
        review_day(roofs.workspace, day_us, at_us)
    assert caught.value.code == code
    assert roofs.workspace.store.size() == size


def test_attesters_refuse_a_review_that_spares_somebody_or_blames_another(roofs: Roofs) -> None:
    guilty_day(roofs)
    review_day(roofs.workspace, DAY_US_0, OVER_US)
    (row,) = [row for row in roofs.workspace.facts() if isinstance(row.recorded.fact, ReadingsReviewed)]
    columns = roofs.workspace.columns(row)
    assert columns is not None
    fact = row.recorded.fact
    assert isinstance(fact, ReadingsReviewed)
    spared = {name: column[1:] for name, column in columns.items()}
    blamed = {**columns, "register": columns["register"] - 1}
    later = {**columns, "at_us": columns["at_us"] + QUARTER_HOUR_US}
    for told in (spared, blamed, later):
        segment = Segment(REVIEWS, told)
        lie = Entry(replace(fact, segment=segment.ref()), segment)
        with pytest.raises(Unverified) as caught:
            rechecked(roofs, {row.recorded.seq: lie})
        assert caught.value.code == "attest.review_differs"


def test_attesters_refuse_certificates_of_the_guilty(roofs: Roofs, monkeypatch: pytest.MonkeyPatch) -> None:
    guilty_day(roofs)
    review_day(roofs.workspace, DAY_US_0, OVER_US)
    held = np.full(99, np.iinfo(np.int64).max)
    with monkeypatch.context() as patched:
        patched.setattr("penstock.energy.device.Devices.held_from_us", lambda _, registers: held[registers * 0])
        roofs.certify()
    assert "twin" in roofs.issued()
    with pytest.raises(Unverified) as caught:
        rechecked(roofs)
    assert caught.value.code == "attest.certified_in_quarantine"


def test_an_attester_reads_the_day_again_from_its_source(roofs: Roofs) -> None:
    guilty_day(roofs)
    review_day(roofs.workspace, DAY_US_0, OVER_US)
    store, replica = roofs.workspace.store, Replica()
    replica.advance(Publication(store), store.size(), store.tree().root())
    assert replica.world.energy.digest() == roofs.world.energy.digest()


def test_readings_recorded_before_their_day_are_not_believed(roofs: Roofs) -> None:
    """Else who writes the record could keep them from the review."""
    roofs.stand("honest")
    raws = signed("honest", [DAY_US_0 + HOUR_US], [0], 0, FIRST)
    roofs.do("early", lambda world: ingest(world, raws, DAY_US_0 + HOUR_US), DAY_US_0 - DAY_US)
    with pytest.raises(Unverified) as caught:
        rechecked(roofs)
    assert caught.value.code == "attest.verdicts_differ"


def test_what_is_doubted_and_what_a_day_came_to_outlive_an_erasure(roofs: Roofs) -> None:
    guilty_day(roofs)
    review_day(roofs.workspace, DAY_US_0, OVER_US)
    bright = cloudy(2)
    bright[128:] = SUN[128:] * 9 // 8
    assert set(roofs.send("other", bright, 128, 148)) == {0}
    before = roofs.world.energy
    stood = {name: getattr(before, name).copy() for name in ("held_since_us", "doubts", "above_wh", "last_wh")}
    digest, path = before.digest(), roofs.workspace.path
    assert all(column.any() for column in stood.values())
    roofs.workspace.store.close()
    erase(path, ErasureAsked(("twin", "copy", "other"), "", 0), OVER_US)
    with Workspace(path) as opened:
        after = opened.read(lambda world: world.energy)
        assert {name: getattr(after, name).tolist() for name in stood} == {
            name: column.tolist() for name, column in stood.items()
        }
        assert after.digest() == digest


def boast(roofs: Roofs, hours: int) -> tuple[int, int, list[str]]:
    """A roof honest until the afternoon, and then above any sky: where it was stopped first, by what, since when."""
    energy = cloudy(4)
    energy[88:112] = SUN[88:112] + 150
    verdicts = np.array(roofs.stand("boaster", "modest").send("boaster", energy, 28, 124, hours=hours))
    assert not any(roofs.send("modest", cloudy(5), 28, 124, hours=hours))
    first = int(np.flatnonzero(verdicts)[0])
    assert verdicts[first:].all()
    assert rechecked(roofs).energy.digest() == roofs.world.energy.digest()
    return first, int(verdicts[first]), [row["since"] for row in fleet(roofs.workspace)["quarantined"]]


def test_a_day_sent_by_hours_or_at_once_ends_in_the_same_quarantine(tmp_path: Path) -> None:
    found = []
    for hours in (1, 6, 24):
        made = Roofs(tmp_path / str(hours))
        with made.workspace:
            found.append(boast(made, hours))
    first, verdict, since = found[0]
    assert found == [(first, verdict, since)] * 3
    assert verdict == R.ABOVE_CLEAR_SKY
    assert first > 88 - 28 + 4  # more than the packet in which it began
    assert len(since) == 1


@settings(max_examples=6, deadline=None)
@given(
    liars=st.lists(st.sampled_from(["twin", "copy"]), unique=True, min_size=1),
    packet_hours=st.sampled_from([2, 5]),
    certified_hours=st.sampled_from([0, 10]),
    more=st.booleans(),
)
def test_nothing_found_guilty_is_certified_from_its_first_doubtful_reading_on(
    tmp_path_factory: pytest.TempPathFactory, liars: list[str], packet_hours: int, certified_hours: int, more: bool
) -> None:
    """Whatever was sent in whichever pieces, and certified before: after the review nothing from its doubt on is."""
    roofs = Roofs(tmp_path_factory.mktemp("roofs") / "w")
    day = cloudy(1)
    told = {"honest": day, **{name: {"twin": day, "copy": day * 4 // 5}[name] for name in liars}}
    with roofs.workspace:
        roofs.stand(*told)
        for name, energy in told.items():
            roofs.send(name, energy, 28, 60, hours=packet_hours)
        if certified_hours:
            roofs.certify("before")
        before = roofs.issued()
        for name, energy in told.items():
            roofs.send(name, energy, 60, 128, hours=packet_hours)
        review_day(roofs.workspace, DAY_US_0, OVER_US)
        if more:
            for name, energy in told.items():
                roofs.send(name, energy, 128, 160)
        roofs.certify()
        titles = roofs.world.books.titles[Right.ATTRIBUTE].columns()
        held_us = roofs.world.energy.held_from_us(titles["register"])
        guilty = held_us != np.iinfo(np.int64).max
        late = guilty & (titles["interval_us"] + HOUR_US > held_us)
        assert {name: wh for name, wh in roofs.issued().items() if name != "honest"} == {
            name: wh for name, wh in before.items() if name != "honest"
        }
        assert late.any() == bool(certified_hours)
        assert roofs.issued()["honest"] > before.get("honest", 0)
        rechecked(roofs)

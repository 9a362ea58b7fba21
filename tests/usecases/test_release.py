"""Quarantine: what waits for a message before it, what waits for a decision, and what becomes of both."""

from __future__ import annotations

import numpy as np
import pytest
from small_plant import DAYS, ROOFS, Plant, signed

from penstock.energy.forms.cose import FIRST
from penstock.energy.verdict import MessageVerdict, ReadingVerdict
from penstock.errors import Invalid, NotFound, PenstockError, Refused, Unverified
from penstock.journal.fact import Recorded
from penstock.journal.kinds.energy import PacketsReceived, ReadingsVerified
from penstock.journal.kinds.quarantine import GapAccepted, QuarantineLifted
from penstock.journal.segment import Columns
from penstock.period import QUARTER_HOUR_US
from penstock.usecases.ingest import ingest
from penstock.usecases.recheck import Recheck
from penstock.usecases.release import accept_gap, lift, release_device, skip_gap, waiting_messages
from penstock.usecases.world import World

AT_US = DAYS[0].stop_us
M, R = MessageVerdict, ReadingVerdict
ROOF = "roof-a/export"


def hours(count: int, fell_at: int = -1, name: str = "roof-a") -> list[bytes]:
    """Packets of four quarter-hours, 100 Wh each; from reading ``fell_at`` on the register counts anew from 0."""
    at_us = [DAYS[0].start_us + quarter * QUARTER_HOUR_US for quarter in range(1, 4 * count + 1)]
    wh = [100 * (quarter if fell_at < 0 or quarter < fell_at else quarter - fell_at) for quarter in range(len(at_us))]
    return signed(name, at_us, wh, 0, FIRST)


def taken(plant: Plant, key: str, raws: list[bytes]) -> tuple[Columns, Columns]:
    receipt = plant.do(key, lambda world: ingest(world, raws, AT_US))
    return plant.columns(receipt, 0), plant.columns(receipt, 1)


def rechecked(plant: Plant) -> World:
    """The whole record as an attester takes it in."""
    world = World()
    recheck = Recheck(world)
    for row in plant.workspace.facts():
        columns = plant.workspace.columns(row)
        recheck.before(row.recorded, columns)
        world.apply(row.recorded, columns)
        recheck.after(row.recorded, columns)
    recheck.settle()
    return world


def test_what_waited_counts_when_the_missing_message_comes(plant: Plant) -> None:
    one, two, three, four = hours(4)
    packets, readings = taken(plant, "gap", [one, three, four])
    assert packets["verdict"].tolist() == [0, M.GAP, M.GAP]
    assert list(plant.world.quarantine.messages(0)) == [2, 3]
    packets, readings = taken(plant, "missing", [two])
    assert [bytes(raw) for raw in packets["packet"]] == [two, three, four]
    assert packets["verdict"].tolist() == [0, 0, 0]
    assert readings["packet"].tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert plant.read_wh(ROOF) == 1_500
    assert plant.world.quarantine.devices == []
    assert rechecked(plant).energy.digest() == plant.world.energy.digest()


def test_messages_of_one_batch_in_any_order_all_count(plant: Plant) -> None:
    one, two, three = hours(3)
    packets, _ = taken(plant, "mixed", [three, one, three, two, b"x"])
    assert packets["verdict"].tolist() == [M.GAP, 0, M.GAP, 0, M.MALFORMED, 0]
    assert plant.read_wh(ROOF) == 1_100
    assert plant.world.energy.head_sequence[0] == 2
    rechecked(plant)


def test_a_waiting_message_that_does_not_fit_after_all_is_refused(plant: Plant) -> None:
    one, two = hours(2)
    stranger = signed("roof-a", [AT_US], [900], 2, b"\x07" * 32)[0]
    taken(plant, "early", [one, stranger])
    packets, _ = taken(plant, "two", [two])
    assert packets["verdict"].tolist() == [0, M.FORKED]
    assert plant.world.energy.head_sequence[0] == 1


def test_a_gap_that_nobody_can_fill_is_given_up(plant: Plant) -> None:
    one, _, three, four = hours(4)
    taken(plant, "gap", [one, three, four])
    receipt = plant.do("give up", lambda world: accept_gap(world, "roof-a", "operator", "flash memory lost"))
    (fact,) = plant.facts(receipt)
    assert isinstance(fact, GapAccepted)
    assert (fact.device, fact.sequence) == ("roof-a", 2)
    raws = plant.workspace.read(lambda world: waiting_messages(world, "roof-a"))
    assert [raw for _, raw in raws] == [three, four]
    receipt = plant.do("again", lambda world: ingest(world, raws, AT_US))
    assert plant.columns(receipt, 0)["verdict"].tolist() == [0, 0]
    assert plant.read_wh(ROOF) == 1_500
    rechecked(plant)


def test_the_next_message_brings_along_what_a_given_up_gap_held(plant: Plant) -> None:
    one, _, three, four = hours(4)
    taken(plant, "gap", [one, three])
    plant.do("give up", lambda world: accept_gap(world, "roof-a", "operator", "lost"))
    packets, _ = taken(plant, "next", [four])
    assert packets["verdict"].tolist() == [M.GAP, 0, 0]
    assert plant.read_wh(ROOF) == 1_500
    rechecked(plant)


@pytest.mark.parametrize(
    ("device", "error", "code"),
    [("nobody", NotFound, "device.unknown"), ("roof-b", Refused, "quarantine.no_gap")],
)
def test_there_is_no_gap_to_give_up(plant: Plant, device: str, error: type[PenstockError], code: str) -> None:
    with pytest.raises(error) as caught:
        plant.do("give up", lambda world: accept_gap(world, device, "operator", ""))
    assert caught.value.code == code


def doubtful(plant: Plant) -> tuple[Columns, Columns]:
    """A register that fell to zero at its fifth reading."""
    return taken(plant, "fell", hours(3, fell_at=9))


def test_after_a_doubtful_reading_its_register_waits(plant: Plant) -> None:
    _, readings = doubtful(plant)
    assert readings["verdict"].tolist() == [0] * 9 + [R.RESET] + [R.HELD_BACK] * 2
    assert plant.read_wh(ROOF) == 800
    more = hours(4, fell_at=9)[3]
    _, later = taken(plant, "more", [more, *hours(1, name="roof-b")])
    assert later["verdict"].tolist() == [R.HELD_BACK] * 4 + [0] * 4
    waiting = list(plant.world.quarantine.readings())
    assert [len(columns["register"]) for _, columns in waiting] == [3, 4]


def test_a_lifted_quarantine_judges_all_that_waited_again(plant: Plant) -> None:
    """Held by a finding that somebody overrules: every reading counts, in a fact of its own for each batch."""
    first, second = _held_by_a_finding(plant)
    before = plant.read_wh(ROOF)
    receipt = plant.do("lift", lambda world: lift(world, [ROOF], ["at_night"], "operator", "the tilt was wrong"))
    said, *judged = plant.facts(receipt)
    assert isinstance(said, QuarantineLifted)
    assert [fact.packets_root for fact in judged if isinstance(fact, ReadingsVerified)] == [first, second]
    assert plant.columns(receipt, 1)["verdict"].tolist() == [0, 0]
    assert plant.columns(receipt, 2)["verdict"].tolist() == [0] * 4
    assert plant.read_wh(ROOF) > before
    assert list(plant.world.quarantine.readings()) == []
    assert int(plant.world.energy.held_since_us[plant.world.books.registers.id_of(ROOF)]) == 0


def test_a_finding_that_still_stands_holds_the_register_again(plant: Plant) -> None:
    _held_by_a_finding(plant)
    before = plant.read_wh(ROOF)
    receipt = plant.do("lift", lambda world: lift(world, [ROOF], ["copied"], "operator", "no"))
    assert plant.columns(receipt, 1)["verdict"].tolist() == [R.AT_NIGHT, R.HELD_BACK]
    assert plant.columns(receipt, 2)["verdict"].tolist() == [R.HELD_BACK] * 4
    assert plant.read_wh(ROOF) == before
    assert int(plant.world.energy.held_since_us[plant.world.books.registers.id_of(ROOF)]) > 0
    plant.do("lift 2", lambda world: lift(world, [ROOF], ["at_night"], "operator", "yes"))
    assert plant.read_wh(ROOF) > before


def _held_by_a_finding(plant: Plant) -> tuple[bytes, bytes]:
    """Two batches of a register of which the third reading of the first is held: roots of their packets."""
    raws = hours(2)
    roots = []
    for key, part, doubted in (("first", raws[:1], 2), ("second", raws[1:], 0)):

        def decide(world: World, part: list[bytes] = part, doubted: int = doubted):  # type: ignore[no-untyped-def]
            received, verified = ingest(world, part, AT_US)
            assert verified.segment is not None
            assert isinstance(received.fact, PacketsReceived)
            columns = {name: column.copy() for name, column in verified.segment.columns.items()}
            if doubted:
                columns["verdict"][doubted], columns["findings"][doubted] = R.AT_NIGHT, 1 << R.AT_NIGHT
                columns["verdict"][doubted + 1 :], columns["findings"][doubted + 1 :] = R.HELD_BACK, 1 << R.HELD_BACK
            return [received, _entry(world, columns, received.fact.segment.root)]

        receipt = plant.do(key, decide)
        roots.append(plant.facts(receipt)[0].segment.root)  # type: ignore[attr-defined]
    return roots[0], roots[1]


def _entry(world: World, columns: Columns, root: bytes):  # type: ignore[no-untyped-def]
    from penstock.journal.fact import Entry
    from penstock.journal.formats import VERDICTS
    from penstock.journal.segment import Segment
    from penstock.usecases.ingest import verified

    segment = Segment(VERDICTS, columns)
    return Entry(verified(world, segment, root), segment)


def test_lifting_a_reset_does_not_make_a_register_go_back(plant: Plant) -> None:
    """Whatever somebody decides, a register never goes back: that takes a new epoch."""
    doubtful(plant)
    receipt = plant.do("lift", lambda world: lift(world, [ROOF], ["reset"], "operator", "trust me"))
    assert 0 not in plant.columns(receipt, 1)["verdict"].tolist()
    assert plant.read_wh(ROOF) == 800
    rechecked(plant)


@pytest.mark.parametrize(
    ("registers", "overruled", "error", "code"),
    [
        (["no such"], [], NotFound, "register.unknown"),
        (["roof-b/export"], [], Refused, "quarantine.nothing"),
        ([ROOF], ["over_capacity"], Invalid, "quarantine.finding"),
        ([ROOF], ["held_back"], Invalid, "quarantine.finding"),
        ([ROOF], ["no such"], Invalid, "quarantine.finding"),
    ],
)
def test_what_cannot_be_lifted(
    plant: Plant, registers: list[str], overruled: list[str], error: type[PenstockError], code: str
) -> None:
    doubtful(plant)
    digest = plant.world.energy.digest()
    with pytest.raises(error) as caught:
        plant.do("lift", lambda world: lift(world, registers, overruled, "operator", ""))
    assert caught.value.code == code
    assert plant.world.energy.digest() == digest


def test_by_device_through_a_workspace(plant: Plant) -> None:
    one, _, three = hours(3)
    taken(plant, "gap", [one, three])
    assert dict(skip_gap(plant.workspace, "roof-a", "operator", "lost", AT_US)) == {
        "packets accepted": 1,
        "readings accepted": 4,
    }
    with pytest.raises(Refused):
        release_device(plant.workspace, "roof-a", [], "operator", "why not", AT_US)
    at_us = [AT_US - quarter * QUARTER_HOUR_US for quarter in (2, 1)]
    head = plant.world.energy.head_hash[0].tobytes()
    taken(plant, "fell", signed("roof-a", at_us, [1, 2], 3, head))
    found = release_device(plant.workspace, "roof-a", ["reset"], "operator", "looked into", AT_US)
    assert dict(found) == {"readings reset": 1, "readings held_back": 1}  # a register that fell takes a new epoch
    rechecked(plant)


def test_an_attester_reproduces_a_release_and_finds_a_forged_one(plant: Plant) -> None:
    doubtful(plant)
    plant.do("lift", lambda world: lift(world, [ROOF], ["reset"], "operator", "looked into"))
    assert rechecked(plant).books.digest() == plant.world.books.digest()
    facts = [(row.recorded, plant.workspace.columns(row)) for row in plant.workspace.facts()]
    world = World()
    recheck = Recheck(world)
    with pytest.raises(Unverified) as caught:
        for recorded, columns in facts:
            if isinstance(recorded.fact, QuarantineLifted):  # readings again, and nobody decided so
                recorded = Recorded(recorded.seq, recorded.at_us, facts[-1][0].fact, b"")
                columns = facts[-1][1]
            recheck.before(recorded, columns)
            world.apply(recorded, columns)
    assert caught.value.code == "attest.verdicts_differ"


def test_a_new_process_knows_what_waits(plant: Plant) -> None:
    doubtful(plant)
    one = hours(2, name="roof-b")[1]
    taken(plant, "gap", [one])
    again = World()
    for row in plant.workspace.facts():
        again.apply(row.recorded, plant.workspace.columns(row))
    assert [one.raw for one in again.quarantine.messages(1).values()] == [one]
    for (root, columns), (other, others) in zip(
        plant.world.quarantine.readings(), again.quarantine.readings(), strict=True
    ):
        assert root == other
        assert all(np.array_equal(columns[name], others[name]) for name in columns)
    assert sum(isinstance(row.recorded.fact, PacketsReceived) for row in plant.workspace.facts()) == 2
    assert len(ROOFS) == 4

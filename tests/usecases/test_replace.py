"""Epochs: a replaced, rolled-over or reset meter goes on where the one before ended, and nothing is lost or doubled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace as changed
from typing import Any

import numpy as np
import pytest
from device_kit import ATTACKER, OWNER, Yard, hours, key_of, new_device

from penstock.energy.verdict import MessageVerdict, ReadingVerdict
from penstock.errors import PenstockError
from penstock.journal.fact import Entry
from penstock.journal.kinds.device import EpochOpened
from penstock.journal.kinds.energy import ReadingsVerified
from penstock.journal.segment import Columns
from penstock.journal.words import Assurance, EpochCause, Right
from penstock.usecases.certify import certify
from penstock.usecases.replace import next_urn, open_epoch, plan_epoch, replace

M, R = MessageVerdict, ReadingVerdict
KEY, NEW = key_of("roof"), key_of("roof", 1)
GOOD = (M.ACCEPTED, [R.ACCEPTED])
WIDTH_WH = 1_000


@pytest.fixture
def yard() -> Yard:
    """A roof whose register turns over at 1,000 Wh, which stands at 990 Wh at 2 o'clock."""
    made = Yard().enrolled(rolls_over_wh=WIDTH_WH)
    assert [made.send(KEY, (1, 500)), made.send(KEY, (2, 990))] == [GOOD, GOOD]
    return made


def rolled(yard: Yard) -> EpochOpened:
    return yard.signed_epoch(plan_epoch(yard.world, "roof", EpochCause.ROLLED_OVER), KEY)


def swapped(yard: Yard, hour: float = 3, start_count_wh: int = 7) -> tuple[Any, list[EpochOpened]]:
    meter = yard.replacement(OWNER, NEW, hour)
    epoch = plan_epoch(yard.world, "roof", EpochCause.REPLACED, hours(hour), start_count_wh)
    return meter, [yard.signed_epoch(epoch, NEW)]


def test_a_new_meter_counts_from_where_it_was_put_in(yard: Yard) -> None:
    meter, epochs = swapped(yard)
    yard.tell(replace(yard.world, meter, epochs), hours(3))
    energy, registers = yard.world.energy, yard.world.books.registers
    assert yard.standing() == ("roof/export#2", hours(3), 0)
    assert energy.main_register().tolist() == [registers.id_of("roof/export#2")]
    assert int(energy.epoch_start_wh[energy.main_register()[0]]) == 7
    main = energy.main_register()[0]
    assert [bool(registers.issues(right)[main]) for right in Right] == [True, True, False, False, False]
    assert yard.world.books.enrolled.metered().all()
    assert yard.send(KEY, (4, 995))[0] is not M.ACCEPTED
    assert yard.send(NEW, (4, 107)) == GOOD
    assert yard.standing() == ("roof/export#2", hours(4), 100)
    assert registers.read.tolist() == [990, 100]


def test_what_was_counted_across_the_last_digit_is_kept(yard: Yard) -> None:
    yard.tell(open_epoch(yard.world, rolled(yard)), hours(3))
    assert yard.send(KEY, (3, 15)) == GOOD
    assert yard.standing() == ("roof/export#2", hours(3), 25)  # ten up to the last digit, fifteen after it


def test_without_an_epoch_a_rolled_over_register_waits(yard: Yard) -> None:
    assert yard.send(KEY, (3, 15)) == (M.ACCEPTED, [R.ROLLED_OVER])
    assert yard.standing() == ("roof/export", hours(2), 990)
    assert int(yard.world.energy.held_since_us[0]) == hours(3)


def test_a_reset_meter_starts_anew_and_what_it_lost_is_lost(yard: Yard) -> None:
    epoch = plan_epoch(yard.world, "roof", EpochCause.RESET, hours(2.5))
    yard.tell(open_epoch(yard.world, yard.signed_epoch(epoch, KEY)), hours(3))
    assert yard.send(KEY, (4, 60)) == GOOD
    assert yard.standing() == ("roof/export#2", hours(4), 60)


def test_epochs_follow_each_other(yard: Yard) -> None:
    yard.tell(open_epoch(yard.world, rolled(yard)), hours(3))
    assert yard.send(KEY, (3, 900)) == GOOD
    yard.tell(open_epoch(yard.world, rolled(yard)), hours(4))
    assert yard.send(KEY, (4, 50)) == GOOD
    assert yard.standing() == ("roof/export#3", hours(4), 150)
    assert yard.world.books.registers.read.tolist() == [990, 910, 150]


def test_certificates_go_on_in_the_new_register(yard: Yard) -> None:
    meter, epochs = swapped(yard)
    yard.tell(replace(yard.world, meter, epochs), hours(3))
    rows = _reading(yard, NEW, (4, 107), (5, 207))
    attribute, _ = certify(yard.world, [rows], "XX")
    assert attribute.segment is not None
    columns = attribute.segment.columns
    assert (columns["start"].tolist(), columns["stop"].tolist()) == ([0, 100], [100, 200])
    assert columns["interval_us"].tolist() == [hours(3), hours(4)]
    assert columns["register"].tolist() == [1, 1]


def _reading(yard: Yard, key: Any, *readings: tuple[float, int]) -> Columns:
    from penstock.usecases.ingest import ingest

    raw = yard.next_packet(key, readings)
    entries = ingest(yard.world, [raw], hours(readings[-1][0] + 0.1))
    yard.tell(entries, hours(readings[-1][0] + 0.1))
    (verified,) = [entry for entry in entries if isinstance(entry.fact, ReadingsVerified)]
    assert verified.segment is not None
    return verified.segment.columns


def test_every_channel_of_a_replaced_meter_gets_its_epoch() -> None:
    yard = Yard().enrolled(channels=("export", "import"))
    meter = yard.replacement(OWNER, NEW, 3)
    epochs = [
        yard.signed_epoch(plan_epoch(yard.world, "roof", EpochCause.REPLACED, hours(3), channel=channel), NEW)
        for channel in (0, 1)
    ]
    with pytest.raises(PenstockError, match=r"epoch\.channels"):
        replace(yard.world, meter, epochs[:1])
    yard.tell(replace(yard.world, meter, epochs), hours(3))
    assert [yard.standing(channel=channel)[0] for channel in (0, 1)] == ["roof/export#2", "roof/import#2"]
    assert np.array_equal(yard.world.energy.device_of, [0, 0, 0, 0])


def test_a_meter_that_cannot_sign_statements_is_continued_by_the_owner(yard: Yard) -> None:
    epoch = plan_epoch(yard.world, "roof", EpochCause.ROLLED_OVER)
    yard.tell(open_epoch(yard.world, yard.signed_epoch(epoch, OWNER)), hours(3))
    assert yard.standing()[0] == "roof/export#2"


def test_a_device_that_signs_nothing_itself_needs_no_signature() -> None:
    weaker = Yard().enrolled(assurance=Assurance.VENDOR_ATTESTED)
    epoch = plan_epoch(weaker.world, "roof", EpochCause.RESET, hours(1))
    weaker.tell(open_epoch(weaker.world, epoch), hours(1))
    assert weaker.standing()[0] == "roof/export#2"


REFUSED: dict[str, tuple[Callable[[Yard], EpochOpened], str]] = {
    "signed by nobody": (lambda y: plan_epoch(y.world, "roof", EpochCause.ROLLED_OVER), "epoch.signature"),
    "signed by another": (
        lambda y: y.signed_epoch(plan_epoch(y.world, "roof", EpochCause.ROLLED_OVER), ATTACKER),
        "epoch.signature",
    ),
    "altered after it was signed": (lambda y: changed(rolled(y), rolls_over_wh=10), "epoch.signature"),
    "of another position": (lambda y: changed(rolled(y), predecessor_position_wh=980), "epoch.predecessor"),
    "of another register": (lambda y: changed(rolled(y), channel=1), "epoch.predecessor"),
    "of a register that nobody opened": (lambda y: changed(rolled(y), predecessor="x"), "register.unknown"),
    "another count at the seam": (lambda y: changed(rolled(y), start_count_wh=0), "epoch.start"),
    "before what was read": (
        lambda y: plan_epoch(y.world, "roof", EpochCause.RESET, hours(1.9)),
        "epoch.time",
    ),
    "a correction that nobody told": (
        lambda y: plan_epoch(y.world, "roof", EpochCause.CORRECTED_DOWN, start_count_wh=990),
        "epoch.correction",
    ),
    "a count below zero": (lambda y: plan_epoch(y.world, "roof", EpochCause.RESET, hours(3), -1), "epoch.start"),
    "a debt without a correction": (lambda y: changed(rolled(y), debt_wh=1), "epoch.debt"),
    "of a stranger": (lambda y: changed(rolled(y), device="x"), "device.unknown"),
}


@pytest.mark.parametrize(("make", "code"), REFUSED.values(), ids=REFUSED)
def test_a_bad_epoch_changes_nothing(yard: Yard, make: Callable[[Yard], EpochOpened], code: str) -> None:
    fact = make(yard)
    before = yard.world.energy.digest()
    with pytest.raises(PenstockError) as caught:
        open_epoch(yard.world, fact)
    assert caught.value.code == code
    assert yard.world.energy.digest() == before


def test_without_a_declared_width_nothing_rolls_over() -> None:
    yard = Yard().enrolled()
    with pytest.raises(PenstockError, match=r"epoch\.start"):
        plan_epoch(yard.world, "roof", EpochCause.ROLLED_OVER)


def test_an_epoch_does_not_take_another_devices_register(yard: Yard) -> None:
    yard.enrolled(name="hill", public_key=key_of("hill").public)
    with pytest.raises(PenstockError, match=r"epoch\.register"):
        yard.tell([Entry(yard.signed_epoch(changed(rolled(yard), register="hill/export", signature=b""), KEY))])


def test_a_replacement_needs_the_owner_and_the_new_key(yard: Yard) -> None:
    meter, epochs = swapped(yard)
    for bad, code in (
        (changed(meter, owner_signature=b""), "device.owner_signature"),
        (changed(meter, proof=b""), "key.proof"),
    ):
        with pytest.raises(PenstockError) as caught:
            replace(yard.world, bad, epochs)
        assert caught.value.code == code
    with pytest.raises(PenstockError, match=r"epoch\.signature"):
        replace(yard.world, meter, [yard.signed_epoch(changed(epochs[0], signature=b""), KEY)])


def test_names_of_epochs_count_up() -> None:
    assert [next_urn(urn) for urn in ("a/export", "a/export#2", "a/export#9")] == [
        "a/export#2",
        "a/export#3",
        "a/export#10",
    ]
    assert new_device().channels == ("export",)

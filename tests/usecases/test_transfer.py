"""Transfer, lock, retire: later output is another's, and no device counts after its end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from device_kit import ATTACKER, OWNER, Yard, hours, key_of

from penstock.energy.verdict import MessageVerdict
from penstock.errors import PenstockError
from penstock.journal.kinds.device import DeviceLocked, DeviceRetired, DeviceTransferred
from penstock.journal.kinds.energy import ProgrammeLock, ReadingsVerified
from penstock.journal.segment import Columns
from penstock.usecases.certify import certify
from penstock.usecases.ingest import ingest
from penstock.usecases.transfer import lock, retire, transfer

KEY, BUYER = key_of("roof"), key_of("buyer")


@pytest.fixture
def yard() -> Yard:
    return Yard().enrolled()


def ceded(yard: Yard, hour: float, owner: str = "buyer", key: Any = OWNER, to: bytes = BUYER.public) -> Any:
    fact = DeviceTransferred("roof", owner, to, hours(hour), b"")
    return replace(fact, owner_signature=key.sign(yard.said(fact)))


def readings(yard: Yard, *series: tuple[float, int]) -> Columns:
    raw = yard.next_packet(KEY, series)
    entries = ingest(yard.world, [raw], hours(series[-1][0] + 0.1))
    yard.tell(entries, hours(series[-1][0] + 0.1))
    (verified,) = [entry for entry in entries if isinstance(entry.fact, ReadingsVerified)]
    assert verified.segment is not None
    return verified.segment.columns


def holders(yard: Yard, columns: Columns) -> dict[int, str]:
    """Who holds the certificates of each hour."""
    entries = certify(yard.world, [columns], "XX")
    yard.tell(entries)
    assert entries[0].segment is not None
    made = entries[0].segment.columns
    names = [yard.world.books.accounts.name(one) for one in made["holder"].tolist()]
    return dict(zip(((made["interval_us"] - hours(0)) // 3_600_000_000).tolist(), names, strict=True))


def test_later_output_is_the_new_owners_and_earlier_stays(yard: Yard) -> None:
    yard.enrolled(name="hill", public_key=key_of("hill").public)
    yard.tell(transfer(yard.world, ceded(yard, 2)))
    assert holders(yard, readings(yard, (1, 100), (2, 200), (3, 300), (4, 400))) == {
        0: "owner",
        1: "owner",
        2: "buyer",
        3: "buyer",
    }


def test_output_can_go_on_to_a_third_and_come_back(yard: Yard) -> None:
    yard.tell(transfer(yard.world, ceded(yard, 2)))
    yard.tell(transfer(yard.world, ceded(yard, 3, "third", BUYER, key_of("third").public)))
    yard.tell(transfer(yard.world, ceded(yard, 5, "owner", key_of("third"), OWNER.public)))
    found = holders(yard, readings(yard, *((hour, 100 * hour) for hour in range(1, 7))))
    assert list(found.values()) == ["owner", "owner", "buyer", "third", "third", "owner"]


def test_what_is_certified_is_not_given_away(yard: Yard) -> None:
    holders(yard, readings(yard, (1, 100), (2, 200)))
    with pytest.raises(PenstockError, match=r"device\.backdated"):
        transfer(yard.world, ceded(yard, 1.5))
    yard.tell(transfer(yard.world, ceded(yard, 2)))
    assert holders(yard, readings(yard, (3, 300))) == {2: "buyer"}


@pytest.mark.parametrize("key", [ATTACKER, BUYER])
def test_only_the_present_owner_gives_away(yard: Yard, key: Any) -> None:
    with pytest.raises(PenstockError, match=r"device\.owner_signature"):
        transfer(yard.world, ceded(yard, 2, key=key))
    yard.tell(transfer(yard.world, ceded(yard, 2)))
    with pytest.raises(PenstockError, match=r"device\.owner_signature"):
        transfer(yard.world, ceded(yard, 3, "third", OWNER))


def test_an_owners_key_is_a_key(yard: Yard) -> None:
    with pytest.raises(PenstockError, match=r"site\.owner_key"):
        transfer(yard.world, ceded(yard, 2, to=b"short"))


def test_a_retired_device_counts_up_to_its_end_and_is_no_more(yard: Yard) -> None:
    readings(yard, (1, 100))
    with pytest.raises(PenstockError, match=r"device\.backdated"):
        retire(yard.world, DeviceRetired("roof", hours(1), "sold"))
    yard.tell(retire(yard.world, DeviceRetired("roof", hours(3), "dismantled")))
    assert yard.send(KEY, (2, 200))[0] is MessageVerdict.ACCEPTED
    said, rows = yard.send(KEY, (3, 300))
    assert said is not MessageVerdict.ACCEPTED or any(rows)
    assert yard.standing()[2] == 200
    with pytest.raises(PenstockError, match=r"device\.retired"):
        retire(yard.world, DeviceRetired("roof", hours(4), "again"))
    with pytest.raises(PenstockError, match=r"device\.retired"):
        transfer(yard.world, ceded(yard, 5))


def test_a_device_is_in_one_programme_at_a_time() -> None:
    yard = Yard().enrolled(programmes=(ProgrammeLock("evening", hours(17), hours(20)),))
    yard.tell(lock(yard.world, DeviceLocked("roof", "night", hours(20), hours(23))))
    for start, stop in ((16, 18), (19, 21), (18, 19), (16, 24), (22, 23)):
        with pytest.raises(PenstockError, match=r"device\.locked"):
            lock(yard.world, DeviceLocked("roof", "other", hours(start), hours(stop)))
    with pytest.raises(PenstockError, match=r"device\.locked"):
        lock(yard.world, DeviceLocked("roof", "empty", hours(2), hours(2)))
    assert [one.programme for one in yard.world.energy.ownership.locks(0)] == ["evening", "night"]

"""Keys: what each act needs, and which signatures still count afterwards, back-dated ones among them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from device_kit import ATTACKER, OWNER, Yard, hours, key_of

from penstock.energy.verdict import MessageVerdict, ReadingVerdict
from penstock.errors import PenstockError
from penstock.journal.fact import Entry
from penstock.journal.kinds.device import KeyRevoked
from penstock.keys import KeyKind
from penstock.usecases.rotate import reclaim, revoke, rotate

M, R = MessageVerdict, ReadingVerdict
OLD, NEW, THIRD = key_of("roof"), key_of("roof", 1), key_of("roof", 2)
GOOD = (M.ACCEPTED, [R.ACCEPTED])


def counted(said: tuple[MessageVerdict, list[ReadingVerdict]]) -> bool:
    return said[0] is M.ACCEPTED and all(one is R.ACCEPTED for one in said[1])


@pytest.fixture
def yard() -> Yard:
    """A roof that has sent two packets: up to 2 o'clock, 20 Wh."""
    made = Yard().enrolled()
    assert [made.send(OLD, (1, 10)), made.send(OLD, (2, 20))] == [GOOD, GOOD]
    return made


def test_after_a_rotation_the_new_key_counts_and_the_old_one_does_not(yard: Yard) -> None:
    fact = yard.rotation(OLD, NEW, 3, last_sequence=1)
    yard.tell(rotate(yard.world, fact))
    energy = yard.world.energy
    assert energy.key(0) == NEW.public
    assert (energy.key_since_us[0], energy.former_keys(0)[0].until_us) == (hours(3), hours(3))
    assert not counted(yard.send(OLD, (4, 30)))
    assert yard.send(NEW, (4, 30)) == GOOD
    assert yard.standing()[1:] == (hours(4), 30)


def test_the_new_key_counts_for_nothing_before_it_began(yard: Yard) -> None:
    yard.tell(rotate(yard.world, yard.rotation(OLD, NEW, 3, last_sequence=1)))
    assert not counted(yard.send(NEW, (2.5, 25)))


def test_late_data_of_the_old_key_counts_up_to_its_last_message(yard: Yard) -> None:
    """The device was away when it changed its key: what it signed before arrives after."""
    spooled = yard.next_packet(OLD, [(2.5, 25)])
    yard.tell(rotate(yard.world, yard.rotation(OLD, NEW, 3, last_sequence=2)), hours(3))
    assert yard.receive(spooled, hours(5)) == GOOD
    assert yard.send(NEW, (4, 30)) == GOOD


def test_a_back_dated_packet_of_a_stolen_old_key_does_not_count(yard: Yard) -> None:
    """Dated before the rotation, but not among the messages that the device says its old key signed."""
    yard.tell(rotate(yard.world, yard.rotation(OLD, NEW, 3, last_sequence=1)), hours(3))
    assert not counted(yard.send(OLD, (2.9, 4_000), late_hours=3))
    assert yard.standing()[1:] == (hours(2), 20)
    assert yard.send(NEW, (4, 30)) == GOOD


def test_keys_of_other_kinds_follow_each_other() -> None:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    private, order = ec.derive_private_key(7, ec.SECP256R1()), 2**256 - 2**224 + 2**192 - 2**128 + 1
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    public = private.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)

    def signed(message: bytes) -> bytes:
        r, s = decode_dss_signature(private.sign(message, ec.ECDSA(SHA256())))
        return r.to_bytes(32, "big") + min(s, order - s).to_bytes(32, "big")

    yard = Yard().enrolled()
    to_p256 = replace(yard.rotation(OLD, NEW, 1), key_kind=KeyKind.P256, public_key=public)
    said = yard.said(to_p256)
    yard.tell(rotate(yard.world, replace(to_p256, signature=OLD.sign(said), proof=signed(said))))
    assert yard.world.energy.key(0) == public
    back = yard.rotation(OLD, NEW, 2)
    with pytest.raises(PenstockError, match=r"key\.signature"):
        rotate(yard.world, back)
    yard.tell(rotate(yard.world, replace(back, signature=signed(yard.said(back)))))
    assert [span.kind for span in yard.world.energy.former_keys(0)] == [KeyKind.ED25519, KeyKind.P256]


def test_nothing_counts_that_arrives_after_a_revocation_whatever_time_it_tells(yard: Yard) -> None:
    yard.tell(revoke(yard.world, KeyRevoked("roof", hours(3), "stolen")), hours(4))
    assert not counted(yard.send(OLD, (2.5, 25), late_hours=3))
    assert not counted(yard.send(OLD, (5, 30)))
    assert yard.standing()[1:] == (hours(2), 20)


def test_a_revocation_for_later_lets_readings_before_it_count(yard: Yard) -> None:
    yard.tell(revoke(yard.world, KeyRevoked("roof", hours(10), "end of the lease")), hours(4))
    assert yard.send(OLD, (9, 30)) == GOOD
    assert not counted(yard.send(OLD, (10, 40)))


def test_a_reclaimed_device_goes_on_with_a_new_chain(yard: Yard) -> None:
    yard.tell(revoke(yard.world, KeyRevoked("roof", hours(3), "lost")), hours(4))
    yard.tell(reclaim(yard.world, yard.reclaim(OWNER, NEW, 5)), hours(5))
    assert yard.world.energy.head_sequence[0] == -1
    assert not counted(yard.send(OLD, (4, 30), late_hours=3))
    assert not counted(yard.send(OLD, (6, 30)))
    assert yard.send(NEW, (6, 30)) == GOOD
    assert yard.standing()[1:] == (hours(6), 30)


def test_packets_from_before_a_reclaim_cannot_be_played_again(yard: Yard) -> None:
    """The chain begins anew at 0, and so did the old one: an old packet must not take the new one's place."""
    fresh = Yard().enrolled()
    first = fresh.next_packet(OLD, [(1, 10)])
    assert fresh.receive(first, hours(1.1)) == GOOD
    fresh.tell(reclaim(fresh.world, fresh.reclaim(OWNER, NEW, 3)), hours(3))
    assert not counted(fresh.receive(first, hours(4)))
    assert fresh.send(NEW, (4, 30)) == GOOD


def test_a_replay_of_the_journal_verifies_every_signature(yard: Yard) -> None:
    good = yard.rotation(OLD, NEW, 3)
    forged = replace(good, signature=ATTACKER.sign(yard.said(good)))
    with pytest.raises(PenstockError, match=r"key\.signature"):
        yard.tell([Entry(forged)])


def stolen(yard: Yard) -> Any:
    return yard.rotation(ATTACKER, NEW, 3)


def unproved(yard: Yard) -> Any:
    return replace(yard.rotation(OLD, NEW, 3), proof=OLD.sign(b"other"))


def of_another_journal(yard: Yard) -> Any:
    yard.world.energy.origin = "other.example"
    fact = yard.rotation(OLD, NEW, 3)
    yard.world.energy.origin = "yard.example"
    return fact


def revoked_then(act: Callable[[Yard], Any]) -> Callable[[Yard], Any]:
    def made(yard: Yard) -> Any:
        yard.tell(revoke(yard.world, KeyRevoked("roof", hours(3), "stolen")), hours(3))
        return act(yard)

    return made


REFUSED: dict[str, tuple[Callable[[Yard], Any], str]] = {
    "not signed by the old key": (stolen, "key.signature"),
    "signed for another journal": (of_another_journal, "key.proof"),
    "not proved by the new key": (unproved, "key.proof"),
    "no key": (lambda yard: replace(yard.rotation(OLD, NEW, 3), public_key=bytes(31)), "device.key"),
    "of small order": (lambda yard: replace(yard.rotation(OLD, NEW, 3), public_key=bytes(32)), "device.key"),
    "the same key": (lambda yard: yard.rotation(OLD, OLD, 3), "device.key_taken"),
    "before what was counted": (lambda yard: yard.rotation(OLD, NEW, 1.5), "key.backdated"),
    "at what was counted": (lambda yard: yard.rotation(OLD, NEW, 2), "key.backdated"),
    "of a stranger": (lambda yard: replace(yard.rotation(OLD, NEW, 3), device="x"), "device.unknown"),
    "of a revoked key": (revoked_then(lambda yard: yard.rotation(OLD, NEW, 4)), "key.not_valid"),
}


@pytest.mark.parametrize(("make", "code"), REFUSED.values(), ids=REFUSED)
def test_a_bad_rotation_changes_nothing(yard: Yard, make: Callable[[Yard], Any], code: str) -> None:
    fact = make(yard)
    before = yard.world.energy.digest()
    with pytest.raises(PenstockError) as caught:
        rotate(yard.world, fact)
    assert caught.value.code == code
    assert yard.world.energy.digest() == before


def test_a_key_that_another_device_has_is_not_given_again(yard: Yard) -> None:
    yard.enrolled(name="hill", public_key=THIRD.public)
    with pytest.raises(PenstockError, match=r"device\.key_taken"):
        rotate(yard.world, yard.rotation(OLD, THIRD, 3))


def test_a_former_key_does_not_come_back(yard: Yard) -> None:
    yard.tell(rotate(yard.world, yard.rotation(OLD, NEW, 3)))
    with pytest.raises(PenstockError, match=r"device\.key_taken"):
        rotate(yard.world, yard.rotation(NEW, OLD, 4))


def test_reclaiming_needs_the_owner(yard: Yard) -> None:
    with pytest.raises(PenstockError, match=r"device\.owner_signature"):
        reclaim(yard.world, yard.reclaim(ATTACKER, NEW, 3))
    nobodys = Yard(owner_key=b"").enrolled()
    with pytest.raises(PenstockError, match=r"device\.no_owner_key"):
        reclaim(nobodys.world, nobodys.reclaim(OWNER, NEW, 3))

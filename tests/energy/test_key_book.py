"""Keys in columns: each of its own length, found again, followed by others; and whose output it is over time."""

from __future__ import annotations

import numpy as np
import pytest

from penstock.energy import key_index
from penstock.energy.key_book import KeyBook, KeySpan, check_key
from penstock.energy.ownership import Ownership
from penstock.energy.statement import is_signed, scheme_of, statement
from penstock.errors import Invalid
from penstock.journal.kinds.device import KeyRotated
from penstock.journal.kinds.energy import SiteRegistered
from penstock.keys import KEY_BYTES, KEY_KINDS, KeyKind, Scheme, SigningKey
from penstock.units import INT64_MAX

KINDS = np.arange(len(KEY_KINDS))
KEYS = [bytes([number + 1]) * KEY_BYTES[kind] for number, kind in enumerate(KEY_KINDS)]


def book() -> KeyBook:
    made = KeyBook()
    made.add(KEYS, KINDS)
    return made


def test_keys_of_all_kinds_come_back_as_they_went_in() -> None:
    numbers = np.array([5, 0, 0, 8, 3])
    assert book().keys(numbers) == [KEYS[number] for number in numbers]
    assert [book().span(number).kind for number in range(len(KEYS))] == list(KEY_KINDS)
    assert book().keys(np.empty(0, dtype=np.int64)) == []


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(Invalid, match=r"device\.key"):
        book().add([KEYS[0], KEYS[0][:-1]], 0)
    with pytest.raises(Invalid, match=r"device\.key"):
        check_key(KeyKind.P256, KEYS[0])
    with pytest.raises(Invalid, match=r"device\.key"):
        check_key(KeyKind.P256, b"\x02" + b"\xff" * 32)


def test_who_has_a_key_is_found_and_nobody_else() -> None:
    alike = KEYS[0][:20] + bytes(12)  # the same eight bytes where they are looked up
    assert book().holders([KEYS[0], alike, KEYS[4], b"\x63" * 32]).tolist() == [True, False, True, False]
    assert book().holders([alike]).tolist() == [False]
    assert KeyBook().holders([KEYS[0]]).tolist() == [False]
    assert book().holders([]).tolist() == []


@pytest.mark.parametrize(("seed", "unsorted"), [(0, 1), (1, 3), (2, 8), (3, 10_000)])
def test_holders_are_those_of_a_plain_list_while_keys_come_and_change(
    monkeypatch: pytest.MonkeyPatch, seed: int, unsorted: int
) -> None:
    monkeypatch.setattr(key_index, "_UNSORTED_MIN", unsorted)
    dice = np.random.Generator(np.random.PCG64(seed))
    made, plain, latest = KeyBook(), list[bytes](), b""

    def key() -> bytes:
        """One of few, many of them alike in the bytes that the index looks at."""
        return bytes([int(dice.integers(3))]) * 9 + bytes([int(dice.integers(40))]) * 23

    for _ in range(120):
        if plain and dice.random() < 0.4:
            number, latest = int(dice.integers(len(plain))), key()
            made.follow(number, KeyKind.ED25519, latest, 0)
            plain[number] = latest
        else:
            new = [key() for _ in range(int(dice.integers(4)))]
            made.add(new, 0)
            plain += new
        asked = [key() for _ in range(int(dice.integers(6)))] + [latest] * bool(latest)
        assert made.holders(asked).tolist() == [one in plain for one in asked]


def test_a_key_follows_another_and_ends() -> None:
    keys = book()
    keys.follow(0, KeyKind.P256, KEYS[1][::-1], 100, 7)
    keys.follow(0, KeyKind.ED25519, b"\x09" * 32, 200)
    assert keys.former(0) == (
        KeySpan(KeyKind.ED25519, KEYS[0], 0, 100, 7),
        KeySpan(KeyKind.P256, KEYS[1][::-1], 100, 200, INT64_MAX),
    )
    assert keys.span(0) == KeySpan(KeyKind.ED25519, b"\x09" * 32, 200, INT64_MAX)
    keys.end(0, 300, revoked=True)
    keys.end(0, 400)
    assert (keys.span(0).until_us, int(keys.view("revoked")[0])) == (300, 1)
    keys.follow(0, KeyKind.ED25519, b"\x0a" * 32, 500)
    assert (keys.former(0)[-1].until_us, int(keys.view("revoked")[0])) == (300, 0)
    assert keys.former(1) == ()


def test_statements_are_of_one_journal_and_hold_no_signature() -> None:
    fact = KeyRotated("roof", KeyKind.ED25519, KEYS[0], 5, -1, b"", b"")
    signed = KeyRotated("roof", KeyKind.ED25519, KEYS[0], 5, -1, b"one", b"other")
    assert statement(fact, "a") == statement(signed, "a") != statement(fact, "b")
    assert statement(fact, "a") != statement(KeyRotated("roof", KeyKind.ED25519, KEYS[0], 6, -1, b"", b""), "a")
    assert statement(fact, "a").startswith(b'penstock/statement/1\n{"data":{"device":"roof",')
    key = SigningKey(bytes(32))
    assert is_signed(KeyKind.ED25519, key.public, b"said", key.sign(b"said"))
    assert not is_signed(KeyKind.ED25519, key.public, b"said", key.sign(b"other"))
    assert not is_signed(KeyKind.ED25519, key.public, b"said", b"")
    schemes = {scheme_of(kind) for kind in KEY_KINDS}
    assert schemes == {Scheme.EDDSA, Scheme.ECDSA_SHA256_RAW, Scheme.ETH_KECCAK_RSV}


@pytest.mark.parametrize("seed", range(5))
def test_owners_over_time_are_those_of_a_loop(seed: int) -> None:
    dice = np.random.Generator(np.random.PCG64(seed))
    ownership, transfers = Ownership(), dict[int, list[tuple[int, str]]]()
    ownership.register(SiteRegistered("farm", "XX", "", "first"))
    site = ownership.site_number("farm")
    for step in range(30):
        device, from_us = int(dice.integers(0, 6)), int(dice.integers(0, 100))
        ownership.transfer(device, f"owner-{step}", b"", from_us)
        kept = [one for one in transfers.get(device, []) if one[0] < from_us]
        transfers[device] = [*kept, (from_us, f"owner-{step}")]
    devices, at_us = dice.integers(0, 8, 500), dice.integers(0, 120, 500)
    found = ownership.owner_at(devices.astype(np.int32), np.full(500, site), at_us)
    expected = [
        next((owner for from_us, owner in reversed(transfers.get(device, [])) if from_us <= at), "first")
        for device, at in zip(devices.tolist(), at_us.tolist(), strict=True)
    ]
    assert [ownership.owners.name(number) for number in found.tolist()] == expected

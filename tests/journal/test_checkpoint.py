"""Signed checkpoints: a published note, round trips, and a bad fixture for every way to be wrong."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.errors import Invalid, Unverified
from penstock.journal.checkpoint import (
    WITNESS,
    Checkpoint,
    Signature,
    Verifier,
    cosign,
    open_note,
    parse,
    sign,
    signers,
    witness,
)
from penstock.keys import SigningKey

ORIGIN = "penstock.example/journal"
LOG = SigningKey(bytes(range(32)))
WITNESS_SECRET = SigningKey(bytes(range(1, 33)))
ATTACKER = SigningKey(bytes(range(2, 34)))
LOG_KEY = Verifier(ORIGIN, LOG.public)
WITNESS_KEY = Verifier("witness.example/w1", WITNESS_SECRET.public)
HEAD = Checkpoint(ORIGIN, 7, bytes(range(100, 132)))
NOTE = sign(HEAD, ORIGIN, LOG)

# The tree head of the Go checksum database at 20,852,163 records and that log's public key; the size, root and
# signature are those shown as the example in C2SP tlog-checkpoint.
PUBLISHED_KEY = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
PUBLISHED = (
    "go.sum database tree\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n— sum.golang.org "
    "Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
)


def refused(note: str, verifiers: list[Verifier] | None = None) -> str:
    with pytest.raises((Invalid, Unverified)) as caught:
        open_note(note, [LOG_KEY] if verifiers is None else verifiers)
    return caught.value.code


def test_published_checkpoint() -> None:
    key = Verifier.parse(PUBLISHED_KEY)
    checkpoint = open_note(PUBLISHED, [key])
    assert (checkpoint.origin, checkpoint.size, checkpoint.extensions) == ("go.sum database tree", 20852163, ())
    assert checkpoint.root.hex() == "0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62"
    assert key.vkey == PUBLISHED_KEY
    assert refused(PUBLISHED.replace("20852163", "20852164"), [key]) == "checkpoint.signature"


lines = st.text(st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1, max_size=30)
names = st.text(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters="+"), min_size=1, max_size=30)


@given(lines, st.integers(0, 2**63 - 1), st.binary(min_size=32, max_size=32), st.lists(lines, max_size=3), names)
@settings(max_examples=60, deadline=None)
def test_round_trip(origin: str, size: int, root: bytes, extensions: list[str], name: str) -> None:
    checkpoint = Checkpoint(origin, size, root, tuple(extensions))
    note = sign(checkpoint, name, LOG)
    assert open_note(note, [Verifier(name, LOG.public)]) == checkpoint
    head, signatures = parse(note)
    assert f"{head.text}\n{''.join(item.line for item in signatures)}" == note


@given(st.integers(0, len(NOTE) - 1), st.characters(codec="utf-8"))
@settings(max_examples=150, deadline=None)
def test_no_single_change_passes(place: int, char: str) -> None:
    changed = NOTE[:place] + char + NOTE[place + 1 :]
    if changed != NOTE:
        assert refused(changed) in {"checkpoint.signature", "checkpoint.malformed"}


@given(st.text(max_size=200))
def test_any_text_is_an_error_of_ours(text: str) -> None:
    assert refused(text).startswith("checkpoint.")


def test_cosignatures_are_kept_and_counted() -> None:
    note = cosign(NOTE, WITNESS_KEY.name, WITNESS_SECRET)
    assert note.startswith(NOTE)
    assert open_note(note, [LOG_KEY]) == open_note(note, [WITNESS_KEY]) == HEAD
    assert signers(note, [LOG_KEY, WITNESS_KEY]) == {LOG_KEY, WITNESS_KEY}
    assert signers(note, [Verifier(ORIGIN, ATTACKER.public)]) == frozenset()
    assert cosign(note, WITNESS_KEY.name, WITNESS_SECRET) == note


def test_witness_signs_text_and_time() -> None:
    """C2SP tlog-cosignature, Ed25519 signed message, written out."""
    key = Verifier("witness.example/w1", WITNESS_SECRET.public, WITNESS)
    note = witness(NOTE, key.name, WITNESS_SECRET, 1_679_315_147_999_999)
    line = parse(note)[1][1]
    message = f"cosignature/v1\ntime 1679315147\n{HEAD.text}".encode()
    assert line == Signature(key.name, key.key_id, (1_679_315_147).to_bytes(8, "big") + WITNESS_SECRET.sign(message))
    assert signers(note, [LOG_KEY, key]) == {LOG_KEY, key}
    assert signers(note, [WITNESS_KEY]) == frozenset()
    assert Verifier.parse(key.vkey) == key


@pytest.mark.parametrize("value", [b"", bytes(8), (1_679_315_148).to_bytes(8, "big"), b"\xff" * 8])
def test_witness_time_is_signed(value: bytes) -> None:
    key = Verifier("witness.example/w1", WITNESS_SECRET.public, WITNESS)
    good = parse(witness(NOTE, key.name, WITNESS_SECRET, 1_679_315_147_000_000))[1][1]
    bad = Signature(key.name, key.key_id, value + good.value[8:])
    assert refused(NOTE + bad.line, [LOG_KEY, key]) == "checkpoint.signature"


def test_witness_instant_out_of_range() -> None:
    for at_us in (-1, 2**63 * 1_000_000):
        with pytest.raises(Invalid) as caught:
            witness(NOTE, "witness.example/w1", WITNESS_SECRET, at_us)
        assert caught.value.code == "checkpoint.malformed"


def test_signature_of_another_kind_is_carried() -> None:
    """A witness line of another algorithm, longer than ours, is an unknown key's: kept, not judged."""
    other = Signature("witness.example/w2", b"\x01\x02\x03\x04", bytes(72))
    note = NOTE + other.line
    assert open_note(note, [LOG_KEY]) == HEAD
    assert parse(cosign(note, WITNESS_KEY.name, WITNESS_SECRET))[1][1] == other


def test_unknown_key_is_not_enough() -> None:
    assert refused(sign(HEAD, ORIGIN, ATTACKER)) == "checkpoint.signature"
    assert refused(NOTE, []) == "checkpoint.signature"
    assert refused(NOTE, [Verifier("other.example", LOG.public)]) == "checkpoint.signature"


def test_a_trusted_keys_bad_signature_spoils_the_note() -> None:
    """Signed-note, signatures: one good line does not excuse a failing one of another trusted key."""
    bad = Signature(WITNESS_KEY.name, WITNESS_KEY.key_id, bytes(64)).line
    assert open_note(NOTE + bad, [LOG_KEY]) == HEAD
    assert refused(NOTE + bad, [LOG_KEY, WITNESS_KEY]) == "checkpoint.signature"
    with pytest.raises(Unverified):
        signers(NOTE + bad, [LOG_KEY, WITNESS_KEY])


def test_borrowed_key_id_is_refused() -> None:
    """The attacker's signature under the log's name and key id: the id only selects the key."""
    forged = Signature(ORIGIN, LOG_KEY.key_id, ATTACKER.sign(HEAD.text.encode())).line
    assert refused(f"{HEAD.text}\n{forged}") == "checkpoint.signature"


def test_signature_of_another_checkpoint_is_refused() -> None:
    grown = Checkpoint(ORIGIN, 8, HEAD.root)
    assert refused(f"{grown.text}\n{NOTE.rpartition(chr(10) * 2)[2]}") == "checkpoint.signature"


TEXT, SIGNED = NOTE.split("\n\n")
BAD_NOTES = {
    "empty": "",
    "no_signature": f"{TEXT}\n\n",
    "no_gap": f"{TEXT}\n{SIGNED}",
    "no_last_newline": NOTE[:-1],
    "line_after": f"{NOTE}more\n",
    "empty_line_after": f"{NOTE}\n",
    "carriage_return": NOTE.replace("\n", "\r\n"),
    "control_character": NOTE.replace("journal", "jour\x00nal", 1),
    "surrogate": NOTE.replace("journal", "jour\ud800nal", 1),
    "empty_origin": f"\n7\n{TEXT.split(chr(10))[2]}\n\n{SIGNED}",
    "no_root": f"{ORIGIN}\n7\n\n{SIGNED}",
    "leading_zero": NOTE.replace("\n7\n", "\n07\n"),
    "signed_size": NOTE.replace("\n7\n", "\n+7\n"),
    "negative_size": NOTE.replace("\n7\n", "\n-7\n"),
    "underscored_size": NOTE.replace("\n7\n", "\n7_0\n"),
    "other_digits": NOTE.replace("\n7\n", "\n\u0667\n"),
    "spaced_size": NOTE.replace("\n7\n", "\n 7\n"),
    "size_too_large": NOTE.replace("\n7\n", f"\n{2**63}\n"),
    "size_very_long": NOTE.replace("\n7\n", f"\n{'9' * 5000}\n"),
    "root_short": NOTE.replace(TEXT.split("\n")[2], "AAAA"),
    "root_unpadded": NOTE.replace("=\n\n", "\n\n"),
    "root_not_canonical": NOTE.replace("I=\n\n", "J=\n\n").replace("M=\n\n", "N=\n\n"),
    "empty_extension": NOTE.replace("\n\n", "\n\nx\n\n"),
    "hyphen": NOTE.replace("— ", "- "),
    "no_name": NOTE.replace(f"— {ORIGIN} ", "—  "),
    "name_with_plus": NOTE.replace(f"— {ORIGIN}", "— a+b"),
    "name_with_space": NOTE.replace(f"— {ORIGIN}", "— a\u00a0b"),
    "no_key_id": f"{TEXT}\n\n— {ORIGIN} AAAA\n",
    "no_signature_bytes": f"{TEXT}\n\n— {ORIGIN} AAAAAA==\n",
    "not_base64": f"{NOTE[:-4]}*=\n",
    "too_many": NOTE + f"{SIGNED}" * 64,
    "too_long": NOTE.replace("\n\n", f"\n{'x' * (1 << 20)}\n\n"),
}


@pytest.mark.parametrize("name", BAD_NOTES)
def test_bad_note(name: str) -> None:
    assert BAD_NOTES[name] != NOTE
    assert refused(BAD_NOTES[name]) == "checkpoint.malformed"


@pytest.mark.parametrize(
    ("origin", "size", "root", "extensions"),
    [
        ("", 0, bytes(32), ()),
        ("two\nlines", 0, bytes(32), ()),
        ("a", -1, bytes(32), ()),
        ("a", 2**63, bytes(32), ()),
        ("a", 0, bytes(31), ()),
        ("a", 0, bytes(32), ("",)),
        ("a", 0, bytes(32), ("x\n\ny",)),
    ],
)
def test_bad_checkpoint(origin: str, size: int, root: bytes, extensions: tuple[str, ...]) -> None:
    with pytest.raises(Invalid) as caught:
        Checkpoint(origin, size, root, extensions)
    assert caught.value.code == "checkpoint.malformed"


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u2028b"])
def test_bad_name(name: str) -> None:
    for act in (
        lambda: sign(HEAD, name, LOG),
        lambda: cosign(NOTE, name, LOG),
        lambda: witness(NOTE, name, LOG, 0),
        lambda: Verifier(name, LOG.public),
    ):
        with pytest.raises(Invalid) as caught:
            act()
        assert caught.value.code == "checkpoint.key"


@pytest.mark.parametrize("place", range(len(PUBLISHED_KEY)))
def test_bad_verifier_key(place: int) -> None:
    for bad in (PUBLISHED_KEY[:place], PUBLISHED_KEY[:place] + "~" + PUBLISHED_KEY[place + 1 :]):
        with pytest.raises(Invalid) as caught:
            Verifier.parse(bad)
        assert caught.value.code == "checkpoint.key"


def test_two_keys_of_one_id_are_refused() -> None:
    class Twin(Verifier):
        key_id = LOG_KEY.key_id  # a collision, which costs 2**32 tries to find

    with pytest.raises(Invalid) as caught:
        open_note(NOTE, [LOG_KEY, Twin(ORIGIN, ATTACKER.public)])
    assert caught.value.code == "checkpoint.key"
    assert open_note(NOTE, [LOG_KEY, LOG_KEY]) == HEAD

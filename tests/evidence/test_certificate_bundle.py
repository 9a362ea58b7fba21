"""Bundles of certificates: each of a mixed world proves itself, through the storage too; what is untrue is refused."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import forging
import numpy as np
import pytest
from certificate_damages import DAMAGES, LifeDamage
from small_world import DAY, LOG_KEY, ORIGIN, StoredRecord
from stored_world import BATTERY, DEN, DISCHARGE, NUM, STORE, StoredWorld

from penstock.errors import Invalid, NotFound, Unavailable
from penstock.journal import checkpoint
from penstock.journal.laws import breaches
from penstock.journal.words import LinkKind
from penstock.span import Span
from penstock.trace import verify as verifier
from penstock.trace.bundle import build_bundle, build_certificate_bundle
from penstock.trace.verify import CertificateReport, VerificationError, verify, verify_any, verify_certificate

Lives = dict[str, bytes]


def test_every_certificate_of_the_world_proves_itself(stored: StoredWorld) -> None:
    assert breaches(stored.world.books) == ()
    states = Counter[str]()
    for register, start, stop, state, holder in stored.titles():
        report = verify_certificate(_prove(stored, register, start, stop), LOG_KEY.public)
        assert report.states == ((start, stop, state, holder),)
        states[state] += 1
        origin = sum(wh for _, wh, _ in report.roofs)
        assert origin == stop - start or (register == DISCHARGE and state == "withdrawn")
    assert set(states) == set(verifier.STATES) - {"reserved"}


def _prove(stored: StoredWorld, register: str, start: int, stop: int) -> bytes:
    return build_certificate_bundle(stored.record, stored.world.books, register, Span(start, stop))


def test_every_piece_of_a_certificate_with_many_hands_is_told(lives: Lives) -> None:
    report = verify_certificate(lives["several"])
    assert [state for *_, state, _ in report.states] == [
        "retired", "retired", "expired", "retired", "claimed", "lifted", "held", "held",
    ]  # fmt: skip
    text = "\n".join(report.lines())
    for word in (
        "issued to roof-a", "transferred from roof-a to trader", "reserved by trader for buyer", "released by trader",
        "retired by buyer for customers (a green event)", "one hour of sun", "retired on chain, burn 1, badge 1",
        "nobody minted them", "0x000102030405060708090a0b0c0d0e0f10111213", "support: feed-in", "not electrons",
    ):  # fmt: skip
        assert word in text


def test_a_claim_says_for_what(lives: Lives) -> None:
    (event,) = [told for _, told in verify_certificate(lives["home"]).events if "claimed" in told]
    assert "for a friend" in event
    assert "- for home/import [" in event
    assert '"breakfast by sun"' in event


def test_what_was_stored_is_followed_to_the_roofs(stored: StoredWorld, lives: Lives) -> None:
    report = verify_certificate(lives["stored"])
    ((name, given, lost),) = report.storages
    assert (name, given) == (STORE, report.stop - report.start)
    assert {device for device, _, _ in report.roofs} <= set(stored.roofs)
    assert abs(given * DEN - (given + lost) * NUM) < DEN
    assert any(f"meter {BATTERY}: " in key for key in report.keys)


def test_an_answer_in_the_evening_is_followed_through_the_storage(stored: StoredWorld, lives: Lives) -> None:
    report = verify(lives["answer"])
    ((name, given, lost),) = report.storages
    assert (name, given) == (STORE, sum(wh for _, wh, _ in report.roofs))
    assert lost == -(-given * (DEN - NUM) // NUM) or abs(given * DEN - (given + lost) * NUM) < 2 * DEN
    assert f"  through {STORE}: {given:,} Wh, {lost:,} Wh more were lost" in report.lines()
    answers = len(stored.world.books.links[LinkKind.SERVE])
    for number in (0, stored.evening + 3, answers - 1):
        assert verify(build_bundle(stored.record, stored.world.books, "rack-1", number)).number == number


def test_what_has_no_origin_was_withdrawn(lives: Lives) -> None:
    report = verify_certificate(lives["bare"])
    assert ([state for *_, state, _ in report.states], report.roofs) == (["withdrawn"], ())


def test_an_imported_certificate_rests_on_nobody_s_key(lives: Lives) -> None:
    report = verify_certificate(lives["imported"])
    assert report.roofs == (("registry other.example", 1_000, verifier.UNSIGNED),)
    assert any("declared" in line for line in report.assumptions)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: f"{damage.of}: {damage.name}")
def test_a_damage_is_refused_with_its_code(lives: Lives, damage: LifeDamage) -> None:
    raw = damage.done(forging.load(lives[damage.of]))
    assert raw != lives[damage.of]
    with pytest.raises(VerificationError) as refusal:
        verify_any(raw)
    assert refusal.value.code == damage.code, refusal.value.message


@pytest.mark.parametrize("name", ["several", "home", "stored", "answer", "imported", "bare"])
def test_sealed_anew_it_still_holds(lives: Lives, name: str) -> None:
    again = forging.dump(forging.reseal(forging.load(lives[name]), LOG_KEY, ORIGIN))
    assert verify_any(again, LOG_KEY.public).counts == verify_any(lives[name]).counts


@pytest.mark.parametrize("name", ["several", "home", "stored", "answer"])
def test_no_byte_can_change_unseen(lives: Lives, name: str) -> None:
    raw, dice = lives[name], np.random.Generator(np.random.PCG64(17))
    for place in dice.integers(0, len(raw), 150).tolist():
        changed = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        with pytest.raises(VerificationError):
            verify_any(changed, LOG_KEY.public)


def test_facts_of_the_first_version_are_read(lives: Lives) -> None:
    plain = forging.load(lives["home"])
    for fact in plain["facts"]:
        body = json.loads(fact["body"])
        added = {
            "titles.issued": ("carbon_mg_per_kwh", "valid_us", "support", "stored"),
            "titles.moved": ("statement", "start_us", "stop_us", "by"),
        }.get(body["kind"], ())
        if added:
            body["data"] = {name: value for name, value in body["data"].items() if name not in added}
            fact["body"] = forging.dump({**body, "v": "1"}).decode()
    report = verify_certificate(forging.dump(forging.reseal(plain, LOG_KEY, ORIGIN)))
    assert [state for *_, state, _ in report.states] == ["claimed"]


@pytest.mark.parametrize(
    ("span", "error", "code"),
    [
        (("roof-a/export", 5, 5), Invalid, "bundle.span"),
        (("roof-z/export", 0, 5), NotFound, "register.unknown"),
        (("roof-a/export", 10**9, 10**9 + 1), NotFound, "bundle.no_certificate"),
        (("roof-a/export", 0, 10**6), NotFound, "bundle.no_certificate"),
        (("rack-1/import", 0, 5), NotFound, "bundle.no_certificate"),
    ],
)
def test_what_is_no_certificate_is_not_proved(
    stored: StoredWorld, span: tuple[str, int, int], error: type[Exception], code: str
) -> None:
    with pytest.raises(error) as refusal:
        _prove(stored, *span)
    assert getattr(refusal.value, "code", "") == code


def test_an_older_checkpoint_knows_less(stored: StoredWorld) -> None:
    """Under a checkpoint before the moves, the certificate is as it was issued; before its issue it waits."""
    tree, (register, start, stop) = stored.store.tree(), stored.spans["retired"]
    facts = [one.fact.KIND for one in stored.record.facts()]
    states = []
    for size in (facts.index("titles.issued"), len(facts) - 1 - facts[::-1].index("titles.lifted")):
        note = checkpoint.sign(checkpoint.Checkpoint(ORIGIN, size, tree.root(size)), ORIGIN, LOG_KEY)
        record = StoredRecord(stored.store, note)
        try:
            raw = build_certificate_bundle(record, stored.world.books, register, Span(start, stop))
            states.append(verify_certificate(raw).states[0][2])
        except Unavailable as refused:
            states.append(refused.code)
    assert states == ["bundle.checkpoint_behind", "retired"]


def test_a_bundle_is_of_one_subject(lives: Lives) -> None:
    for check, name in ((verify, "home"), (verify_certificate, "answer")):
        with pytest.raises(VerificationError) as refusal:
            check(lives[name])
        assert refusal.value.code == "bundle.subject"


def test_names_cannot_reach_the_terminal(lives: Lives) -> None:
    report = verify_certificate(lives["home"])
    hostile = CertificateReport(
        **{name: getattr(report, name) for name in report.__dataclass_fields__} | {"issued": "\x1b[2J"}
    )
    assert "\x1b" not in "\n".join(hostile.lines())


def test_the_verifier_alone_reads_it_from_standard_input(lives: Lives) -> None:
    command = [sys.executable, "-I", verifier.__file__, "-", "--log-key", LOG_KEY.public.hex()]
    done = subprocess.run(command, input=lives["stored"], capture_output=True, check=False)
    assert (done.returncode, done.stdout.decode().startswith(f"Certificate {DISCHARGE} [")) == (0, True)


def test_a_bundle_is_canonical(lives: Lives) -> None:
    for raw in lives.values():
        assert forging.dump(forging.load(raw)) == raw
    assert DAY.start_us > 0

"""Challengers at a provider's open door: what they drew is shown to them, and nothing else to anybody."""

from __future__ import annotations

import json
import sys
from base64 import b64decode
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import httpx
import pytest

from penstock.api.inference.challenges import add_challenges
from penstock.api.inference.papers import provider_app
from penstock.api.running import serve_in_thread
from penstock.compute.challenge import draw, seed_of
from penstock.compute.work import WorkReport, open_report
from penstock.connect.inference.commitments import WAITING_MAX, Commitments
from penstock.errors import Refused
from penstock.keys import SigningKey
from penstock.keys.dsse import Envelope
from penstock.usecases.provider.provider import Provider
from penstock.usecases.provider.reveal import Challengers, sign_commitment

sys.path.append(str(Path(__file__).resolve().parents[1] / "usecases"))
from provider_kit import ClockPower, HandClock, WordEngine, ask, by_hand, offer

ONE, TWO, ATTACKER = (SigningKey(bytes([place]) * 32) for place in (1, 2, 3))
FIRST, SECOND = b"\x0a" * 32, b"\x0b" * 32
NAMED = [f"one={ONE.public.hex()}", f"two={TWO.public.hex()}"]


@pytest.fixture
def provider(tmp_path: Path) -> Iterator[Provider]:
    clock = HandClock(step_us=5_000)
    terms = offer(challengers=NAMED)
    with by_hand(Provider(tmp_path, WordEngine(), terms, clock, power=ClockPower(clock), reports=False)) as made:
        yield made


@pytest.fixture
def url(provider: Provider) -> Iterator[str]:
    with Commitments(provider.folder) as kept:
        app = add_challenges(provider_app(provider), provider.desk, Challengers(provider, kept))
        with serve_in_thread(app) as running:
            yield running.url


def commit(url: str, name: str, secret: bytes, key: SigningKey, rows: int = 3) -> Any:
    raw = sign_commitment("provider-1", name, secret, rows, key)
    return httpx.post(f"{url}/v1/challenges", content=raw).json()


def reported(provider: Provider, answers: int = 20) -> WorkReport:
    for place in range(answers):
        ask(provider, f"text {place}")
    row = provider.close_interval()
    assert row is not None
    return open_report(Envelope.from_json(json.dumps(json.loads(row.written)["work"])), provider.keys.work.public)


def reveal(url: str, root: bytes, *secrets: tuple[str, bytes]) -> Any:
    said = {"root": root.hex(), "secrets": [{"challenger": name, "secret": raw.hex()} for name, raw in secrets]}
    return httpx.post(f"{url}/v1/disclosures", json=said).json()


def code(answer: Any) -> str:
    return str(answer["error"]["code"])


def test_secrets_of_two_challengers_show_exactly_what_they_draw(url: str, provider: Provider) -> None:
    assert commit(url, "one", FIRST, ONE) == {"place": 1, "after_report": -1}
    assert commit(url, "two", SECOND, TWO, rows=5) == {"place": 2, "after_report": -1}
    report = reported(provider)
    shown = reveal(url, report.root, ("one", FIRST), ("two", SECOND))
    drawn = draw(seed_of([FIRST, SECOND], report.root), len(report), 3)
    assert tuple(row["row"] for row in shown["rows"]) == drawn
    for row in shown["rows"]:
        stated = {name: report.rows[name][row["row"]].tobytes() for name in ("payment", "request", "answer")}
        assert bytes.fromhex(row["payment_id"]) == stated["payment"]
        for part in ("request", "answer"):
            assert sha256(b64decode(row[part])).digest() == stated[part]
    assert reveal(url, report.root, ("one", FIRST), ("two", SECOND)) == shown  # again the same, never more


def test_secrets_show_nothing_of_any_other_report(url: str, provider: Provider) -> None:
    before = reported(provider)
    commit(url, "one", FIRST, ONE)
    assert code(reveal(url, before.root, ("one", FIRST))) == "challenge.not_stated"
    tested, later = reported(provider), reported(provider)
    for other in (before, later):
        assert code(reveal(url, other.root, ("one", FIRST))) == "challenge.not_next"
    assert len(reveal(url, tested.root, ("one", FIRST))["rows"]) == 3


def test_who_committed_to_nothing_is_shown_nothing(url: str, provider: Provider) -> None:
    commit(url, "one", FIRST, ONE)
    commit(url, "two", SECOND, TWO)
    root = reported(provider).root
    assert code(reveal(url, root, ("one", b"\x0c" * 32))) == "challenge.not_committed"
    assert code(reveal(url, root, ("two", FIRST))) == "challenge.not_committed"  # another's
    assert code(reveal(url, root, ("two", SECOND), ("one", FIRST))) == "challenge.order"
    assert code(reveal(url, root, ("one", FIRST), ("one", FIRST))) == "challenge.order"
    assert code(reveal(url, root)) == "challenge.secret"


def test_commitments_that_are_refused(url: str, provider: Provider) -> None:
    assert code(commit(url, "three", FIRST, ATTACKER)) == "challenge.not_named"
    assert code(commit(url, "one", FIRST, ATTACKER)) == "dsse.signature"
    for rows in (0, 129):
        assert code(commit(url, "one", FIRST, ONE, rows)) == "challenge.commitment"
    commit(url, "one", FIRST, ONE)
    assert code(commit(url, "one", FIRST, ONE)) == "challenge.committed"
    for raw in (b"{}", b"[" * 9_000, b"x" * 20_000):
        answer = httpx.post(f"{url}/v1/challenges", content=raw)
        assert 400 <= answer.status_code < 500
    for said in ({}, {"root": "00", "secrets": []}, {"root": "00" * 32, "secrets": [1]}):
        assert httpx.post(f"{url}/v1/disclosures", json=said).status_code == 400


def test_commitments_outlive_the_process_and_are_not_without_end(tmp_path: Path) -> None:
    with Commitments(tmp_path) as kept:
        for place in range(WAITING_MAX):
            kept.keep("one", place.to_bytes(32, "big"), 1, 4)
        with pytest.raises(Refused, match=r"challenge\.too_many"):
            kept.keep("one", b"\xff" * 32, 1, 4)
        kept.keep("two", b"\xff" * 32, 1, 4)
    with Commitments(tmp_path) as kept:
        found = kept.find((7).to_bytes(32, "big"))
        assert found and (found.challenger, found.rows, found.after_report) == ("one", 1, 4)
        kept.keep("one", b"\xfe" * 32, 1, 5)  # a report came

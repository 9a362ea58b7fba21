"""Bad input by table, through the HTTP door and `penstock meter ingest`: each meets its stable code, memory stays
bounded, the service up, and the good readings of the same body count."""

from __future__ import annotations

import functools
import json
import os
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import cbor2
import httpx
import pytest

sys.path.append(str(Path(__file__).resolve().parents[1] / "connect"))
KIT: Any = import_module("connect_kit")
PLANT: Any = KIT.PLANT

from penstock.api.app import make_app  # noqa: E402
from penstock.api.gate import Limits  # noqa: E402
from penstock.api.running import serve_in_thread  # noqa: E402
from penstock.connect.envelope import seal_envelope  # noqa: E402
from penstock.connect.ports import Arrived  # noqa: E402
from penstock.connect.spool import now_us  # noqa: E402
from penstock.energy.forms.cose import FIRST, PROTECTED, Packet, payload_of, sign, to_be_signed  # noqa: E402
from penstock.errors import Conflict  # noqa: E402
from penstock.journal.words import Form  # noqa: E402
from penstock.keys import KeyKind  # noqa: E402
from penstock.period import DAY_US, QUARTER_HOUR_US  # noqa: E402
from penstock.usecases import enrol  # noqa: E402
from penstock.usecases import push as push_module  # noqa: E402
from penstock.usecases.api_keys import create_key  # noqa: E402
from penstock.usecases.workspace import Workspace  # noqa: E402

BAD, GOOD = "bad", "good"
NOON_US = KIT.START_US + QUARTER_HOUR_US
YEAR_US = 366 * DAY_US
BODY_MAX = 16 << 20
MEMORY_MAX = 256 << 20


def said_by(device: str, at_us: list[int], position_wh: list[int]) -> bytes:
    """A packet whose signature holds, whatever it says."""
    return sign(Packet(device, 0, FIRST, tuple(at_us), tuple(position_wh)), PLANT.key_of(device))


def with_payload(payload: bytes, protected: bytes = PROTECTED[KeyKind.ED25519]) -> bytes:
    """A well-signed envelope around any payload."""
    signed_as = PROTECTED[KeyKind.ED25519]
    signature = PLANT.key_of(BAD).sign(to_be_signed(signed_as, payload))
    return cbor2.dumps(cbor2.CBORTag(18, [protected, {4: BAD.encode()}, payload, signature]), canonical=True)


def altered(place: int, value: Any) -> bytes:
    """A well-signed packet with one field of its payload replaced."""
    fields = cbor2.loads(payload_of(Packet(BAD, 0, FIRST, (NOON_US,), (100,))))
    fields[place] = value
    return with_payload(cbor2.dumps(fields))


def wrapped(raw: bytes, form: Form = Form.COSE) -> bytes:
    return seal_envelope(Arrived(form, raw))


def ocmf(reading: dict[str, Any], **signature: str) -> bytes:
    said = {"FV": "1.0", "GS": BAD, "PG": "T1", "MS": BAD, "RD": [{"RI": "1-b:1.8.0", "RU": "kWh", **reading}]}
    text = json.dumps(said).replace('"nan"', "NaN")
    return wrapped(f"OCMF|{text}|{json.dumps({'SD': '3006020101020101', **signature})}".encode(), Form.OCMF)


TIMED = {"TM": "2026-01-01T12:00:00,000+0000 S", "ST": "G"}


@dataclass(frozen=True)
class Bad:
    """What comes, what the message and its readings meet, and what counts of it all the same [Wh]."""

    made: Callable[[], bytes]
    message: str
    readings: tuple[str, ...] = ()
    counts_wh: int = 0


CASES: dict[str, Bad] = {
    "garbage": Bad(lambda: wrapped(os.urandom(64)), "malformed"),
    "nothing": Bad(lambda: wrapped(b""), "malformed"),
    "another thing in CBOR": Bad(lambda: cbor2.dumps({"a": 1}), "malformed"),
    "a packet cut short": Bad(lambda: wrapped(said_by(BAD, [NOON_US], [9])[:-9]), "malformed"),
    "a packet altered": Bad(lambda: said_by(BAD, [NOON_US], [9])[:-1] + b"\x00", "bad_signature"),
    "nested without end": Bad(lambda: wrapped(b"\x81" * 60_000), "malformed"),
    "JSON nested without end": Bad(lambda: wrapped(b"OCMF|" + b'{"a":' * 20_000 + b"|{}", Form.OCMF), "malformed"),
    "a string without end": Bad(
        lambda: wrapped(b'OCMF|{"' + b'\\"' * 60_000 + b"[" * 9 + b"|{}", Form.OCMF), "malformed"
    ),
    "the year 1970": Bad(lambda: said_by(BAD, [1_000_000], [9]), "accepted", ("before_time",)),
    "a clock a year ahead": Bad(lambda: said_by(BAD, [now_us() + YEAR_US], [9]), "accepted", ("from_the_future",)),
    "a stuck register": Bad(  # it claims nothing, so nothing can come of it; transactions have a check of their own
        lambda: said_by(BAD, [NOON_US, NOON_US + QUARTER_HOUR_US], [0, 0]), "accepted", ("accepted",) * 2
    ),
    "a register that goes back": Bad(
        lambda: said_by(BAD, [NOON_US, NOON_US + QUARTER_HOUR_US], [50, 20]),
        "accepted",
        ("accepted", "register_backward"),
        counts_wh=50,
    ),
    "an unknown curve": Bad(lambda: ocmf({**TIMED, "RV": 1}, SA="ECDSA-secp521r1-SHA256"), "unsupported_key"),
    "an unknown algorithm": Bad(lambda: with_payload(b"\x80", cbor2.dumps({1: -36})), "malformed"),
    "a negative register": Bad(lambda: altered(4, [-1]), "malformed"),
    "an overflowing register": Bad(lambda: altered(4, [2**63]), "malformed"),
    "a register of 2,000 bits": Bad(lambda: altered(4, [2**2_000]), "malformed"),
    "a register at its very end": Bad(lambda: said_by(BAD, [NOON_US], [2**63 - 1]), "accepted", ("over_capacity",)),
    "a negative time": Bad(lambda: altered(3, [-1]), "malformed"),
    "an overflowing time": Bad(lambda: altered(3, [2**63]), "malformed"),
    "the last instant there is": Bad(lambda: said_by(BAD, [2**63 - 1], [9]), "accepted", ("from_the_future",)),
    "NaN": Bad(lambda: altered(4, [float("nan")]), "malformed"),
    "infinity": Bad(lambda: altered(4, [float("inf")]), "malformed"),
    "NaN as text": Bad(lambda: ocmf({**TIMED, "RV": "nan"}), "malformed"),
    "a number beyond all": Bad(lambda: ocmf({**TIMED, "RV": "9" * 60}), "malformed"),
    "a key longer than any": Bad(
        lambda: wrapped(b'OCMF|{"MS":"bad"}|{"SD":"30"}\n' + b"30" * 400, Form.OCMF), "malformed"
    ),
    "nobody's": Bad(lambda: said_by("nobody", [NOON_US], [9]), "unknown_device"),
    "a form there is none of": Bad(lambda: cbor2.dumps([9, b"x"]), "malformed"),
}


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with KIT.enrolled(tmp_path / "ws", (BAD, GOOD)) as opened:
        yield opened


def new_key(workspace: Workspace) -> str:
    return create_key(workspace.path, "tests", frozenset({"push"}), now_us(), now_us() + DAY_US)[1]


def push(url: str, key: str, body: bytes | Iterator[bytes]) -> httpx.Response:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/cbor-seq"}
    return httpx.post(f"{url}/readings", content=body, headers=headers, timeout=60)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_each_has_its_code_and_the_good_ones_count(workspace: Workspace, case: Bad) -> None:
    first, last = (one.raw for one in KIT.chain_of(GOOD, 2))
    with serve_in_thread(make_app(workspace)) as running:
        answer = push(running.url, new_key(workspace), first + case.made() + last)
        assert httpx.get(f"{running.url}/health").json()["law_breaches"] == 0
    assert answer.status_code == 200, answer.text
    before, bad, after = answer.json()["answers"]
    assert (before["verdict"], bad["verdict"], after["verdict"]) == ("accepted", case.message, "accepted")
    assert tuple(one["verdict"] for one in bad["readings"]) == case.readings
    assert bad["sentence"]
    assert KIT.reached_wh(workspace, GOOD) == 400
    assert KIT.reached_wh(workspace, BAD) == case.counts_wh


def ingest(workspace: Path, file: Path) -> tuple[int, dict[str, Any]]:
    words = [sys.executable, "-m", "penstock", "meter", "ingest", str(file), "-w", str(workspace), "--json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert "Traceback" not in done.stderr
    said: dict[str, Any] = json.loads(done.stdout)
    return done.returncode, said


def test_a_file_of_it_all(tmp_path: Path) -> None:
    """One file with every bad message that stands for itself, a good one at each end; then its end is torn off."""
    path, file = tmp_path / "ws", tmp_path / "readings.cbor"
    with KIT.enrolled(path, (BAD, GOOD)):
        pass
    first, last, later = (one.raw for one in KIT.chain_of(GOOD, 3))
    refused = [case.made() for case in CASES.values() if case.message != "accepted"]
    file.write_bytes(first + b"".join(refused) + last)
    code, said = ingest(path, file)
    assert (code, said["packets"]) == (0, len(refused) + 2)
    assert (said["packets accepted"], said["readings accepted"]) == (2, 8)
    assert "readings refused" not in said
    torn = tmp_path / "torn.cbor"
    torn.write_bytes(later + first[:-5])
    code, said = ingest(path, torn)
    assert (code, said["code"]) == (2, "meter.not_a_sequence")
    assert said["context"] == {"at_byte": str(len(later)), "messages_recorded": "1"}
    with Workspace(path, read_only=True) as opened:
        assert KIT.reached_wh(opened, GOOD) == 600


def test_ten_thousand_devices_that_claim_one_key(workspace: Workspace) -> None:
    """Enrolling them is refused as a whole; what one key signs for ten thousand names is kept and does not count."""
    one = PLANT.producer(GOOD, 1_000)
    many = [enrol.Producer(f"d-{n}", one.public_key, 1_000, one.zone, one.cell, KIT.START_US) for n in range(10_000)]
    size = workspace.store.size()
    for claimed in (many, many[:1]):
        with pytest.raises(Conflict) as caught:
            workspace.submit("claimed", b"", KIT.START_US, functools.partial(enrol.enrol_producers, producers=claimed))
        assert caught.value.code == "device.key_taken"
    assert workspace.store.size() == size
    key, first = PLANT.key_of(GOOD), KIT.chain_of(GOOD, 1)[0].raw
    claims = [sign(Packet(f"d-{n}", 0, FIRST, (NOON_US,), (9,)), key) for n in range(10_000)]
    stolen = sign(Packet(BAD, 0, FIRST, (NOON_US,), (9,)), key)
    with serve_in_thread(make_app(workspace)) as running:
        said = push(running.url, new_key(workspace), b"".join([*claims, stolen, first])).json()
    verdicts = [row["verdict"] for row in said["answers"]]
    assert verdicts == ["unknown_device"] * 10_000 + ["bad_signature", "accepted"]
    assert KIT.reached_wh(workspace, GOOD) == 200


def resident() -> int:
    """The most memory this process ever held [bytes]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def a_gigabyte(start: bytes, junk: bytes) -> Iterator[bytes]:
    yield start
    for _ in range((1 << 30) // len(junk)):
        yield junk


@pytest.mark.parametrize(
    ("junk", "code"),
    [
        (wrapped(bytes(100_000)), "push.too_large"),
        (b"\x5a\x7f\xff\xff\xff" + bytes(100_000), "connect.message_too_long"),
        (bytes(100_000), "push.too_large"),
    ],
    ids=["messages", "one message", "numbers"],
)
def test_a_gigabyte_takes_no_gigabyte(
    workspace: Workspace, junk: bytes, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push_module, "MESSAGES_MAX", 20_000)
    monkeypatch.setattr(push_module, "PART_MESSAGES", 2_000)
    first = KIT.chain_of(GOOD, 1)[0].raw
    with serve_in_thread(make_app(workspace, limits=Limits(body_bytes=BODY_MAX))) as running:
        key = new_key(workspace)
        push(running.url, key, b"")
        before = resident()
        try:
            answer = push(running.url, key, a_gigabyte(first, junk))
            assert answer.json()["code"] == code
        except httpx.TransportError:
            pass  # the door closed while it was sent to
        assert resident() - before < MEMORY_MAX
        assert push(running.url, key, first).json()["messages"] == 1
    assert KIT.reached_wh(workspace, GOOD) == 200


@contextmanager
def slow_clients(url: str, key: str, count: int) -> Iterator[None]:
    """So many connections that began a head or a body and never end it."""
    host, _, port = urlsplit(url).netloc.partition(":")
    opened = [socket.create_connection((host, int(port)), timeout=10) for _ in range(count)]
    head = f"POST /readings HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\nContent-Type: text/plain\r\n"
    for number, one in enumerate(opened):
        one.sendall((head + "Content-Length: 100\r\n\r\nOC").encode() if number % 2 else head.encode())
    try:
        yield
    finally:
        for one in opened:
            one.close()


def test_slow_clients_keep_nobody_out(workspace: Workspace) -> None:
    raws = [one.raw for one in KIT.chain_of(GOOD, 8)]
    with serve_in_thread(make_app(workspace)) as running:
        slow, quick = new_key(workspace), new_key(workspace)
        with slow_clients(running.url, slow, 60), ThreadPoolExecutor(2) as threads:
            up = threads.submit(lambda: [httpx.get(f"{running.url}/health").status_code for _ in range(5)])
            answers = [push(running.url, quick, raw) for raw in raws]
            assert up.result() == [200] * 5
    assert [answer.status_code for answer in answers] == [200] * 8
    assert KIT.reached_wh(workspace, GOOD) == 8 * 200
    assert threading.active_count() < 100

"""Pushing readings: a verdict for each, once; keys and their scopes; what is too much, too slow or garbage."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI, Response

sys.path.append(str(Path(__file__).resolve().parents[1] / "connect"))
KIT: Any = import_module("connect_kit")

from penstock.api import app as app_module  # noqa: E402
from penstock.api import gate as gate_module  # noqa: E402
from penstock.api import impatient  # noqa: E402
from penstock.api.app import make_app  # noqa: E402
from penstock.api.gate import Limits  # noqa: E402
from penstock.api.running import serve_in_thread  # noqa: E402
from penstock.connect.command import signed_by  # noqa: E402
from penstock.connect.envelope import seal_envelope  # noqa: E402
from penstock.connect.ports import Arrived, Command  # noqa: E402
from penstock.connect.spool import Spool, now_us  # noqa: E402
from penstock.errors import Refused, Unavailable  # noqa: E402
from penstock.journal.words import Form  # noqa: E402
from penstock.keys import SigningKey  # noqa: E402
from penstock.period import DAY_US  # noqa: E402
from penstock.usecases import push as push_module  # noqa: E402
from penstock.usecases.api_keys import create_key, revoke_key  # noqa: E402
from penstock.usecases.collect import drain, over_http  # noqa: E402
from penstock.usecases.sequencer import Sequencer  # noqa: E402
from penstock.usecases.workspace import Workspace  # noqa: E402

LIMITS = Limits(body_bytes=200_000, silence_s=0.5, head_start_s=1.5)
CBOR = {"Content-Type": "application/cbor-seq"}
OPERATOR = SigningKey(bytes(range(32)))


class Door:
    """A served workspace, and a key that may push."""

    def __init__(self, workspace: Workspace, url: str) -> None:
        self.workspace, self.url = workspace, url
        self.key_id, self.key = self.new_key("push")
        self.client = httpx.Client(base_url=url, timeout=30)

    def new_key(self, *scopes: str, days: int = 1) -> tuple[str, str]:
        now = now_us()
        return create_key(self.workspace.path, "gateway", frozenset(scopes), now, now + days * DAY_US)

    def push(self, body: bytes | Iterator[bytes], headers: dict[str, str] | None = None) -> httpx.Response:
        asked = {"Authorization": f"Bearer {self.key}"} | CBOR | (headers or {})
        return self.client.post("/readings", content=body, headers=asked)


@contextmanager
def served(path: Path, limits: Limits = LIMITS) -> Iterator[Door]:
    with KIT.enrolled(path) as workspace, serve_in_thread(make_app(workspace, limits=limits)) as running:
        yield Door(workspace, running.url)


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    with served(tmp_path / "ws") as opened:
        yield opened


def raws(device: str, count: int) -> list[bytes]:
    return [one.raw for one in KIT.chain_of(device, count)]


def refused(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    said: dict[str, Any] = answer.json()
    assert (answer.status_code, said["code"]) == (status, code), said
    assert answer.headers["content-type"] == "application/problem+json"
    return said


def test_every_message_and_reading_gets_its_verdict(door: Door) -> None:
    chain = raws("roof-a", 3)
    stranger = KIT.PLANT.signed("nobody", [KIT.START_US + 1], [1], 0, bytes(32))[0]
    forged = chain[2][:-1] + bytes([chain[2][-1] ^ 1])
    answer = door.push(b"".join([chain[0], b"\x05", chain[0], stranger, forged, chain[1]]))
    said = answer.json()
    assert (answer.status_code, said["messages"], said["repeated"]) == (200, 6, False)
    rows = said["answers"]
    assert [one["number"] for one in rows] == list(range(6))
    assert [one["verdict"] for one in rows] == [
        *("accepted", "malformed", "replayed", "unknown_device", "bad_signature", "accepted"),
    ]
    assert [one["outcome"] for one in rows] == ["accepted", *["refused"] * 4, "accepted"]
    assert all(one["sentence"] for one in rows)
    assert [one["position_wh"] for one in rows[0]["readings"]] == [50, 100, 150, 200]
    assert {one["register"] for one in rows[5]["readings"]} == {"roof-a/export"}
    assert all(one["verdict"] == "accepted" for row in rows for one in row["readings"])
    assert KIT.reached_wh(door.workspace, "roof-a") == 400


def test_the_same_body_is_answered_as_the_first_time(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(push_module, "PART_MESSAGES", 3)
    body = b"".join(raws("roof-a", 8))
    first = door.push(body).json()
    size = door.workspace.store.size()
    again = door.push(iter([body[:700], body[700:701], body[701:]])).json()  # chunks cut elsewhere
    assert (again["answers"], again["repeated"], first["repeated"]) == (first["answers"], True, False)
    assert door.workspace.store.size() == size
    other = door.push(body, {"Idempotency-Key": "judge them anew"}).json()
    assert {one["verdict"] for one in other["answers"]} == {"replayed"}
    assert KIT.reached_wh(door.workspace, "roof-a") == 8 * 200


def test_a_key_names_one_body_of_one_pusher(door: Door) -> None:
    named = {"Idempotency-Key": "k-1"}
    door.push(b"".join(raws("roof-a", 1)), named)
    refused(door.push(b"".join(raws("roof-b", 1)), named), 409, "journal.key_reused")
    _, other = door.new_key("push")
    assert door.push(raws("roof-b", 1)[0], named | {"Authorization": f"Bearer {other}"}).status_code == 200


def test_lines_are_streamed_where_they_are_asked_for(door: Door) -> None:
    answer = door.push(b"".join(raws("roof-a", 5)), {"Accept": "application/x-ndjson"})
    assert answer.headers["content-type"] == "application/x-ndjson"
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert [one["verdict"] for one in rows] == ["accepted"] * 5


@pytest.mark.parametrize(
    ("media_type", "body", "count"),
    [
        ("application/cbor-seq", seal_envelope(Arrived(Form.OCMF, b"OCMF|{}|{}")) * 2, 2),
        ("text/plain; charset=utf-8", b"OCMF|{}|{}\r\n\r\nOCMF|{}|{}", 2),
        ("application/json", b'{\n "jsonrpc": "2.0"}', 1),
        ("application/json", b"", 0),
    ],
)
def test_other_forms_have_their_media_type(door: Door, media_type: str, body: bytes, count: int) -> None:
    said = door.push(body, {"Content-Type": media_type}).json()
    assert [one["verdict"] for one in said["answers"]] == ["malformed"] * count


def test_what_came_before_garbage_is_kept(door: Door) -> None:
    chain = raws("roof-a", 4)
    said = refused(door.push(b"".join(chain[:3]) + b"\x82\x01"), 400, "connect.not_a_sequence")
    assert said["context"] == {"at_byte": str(len(b"".join(chain[:3]))), "messages_recorded": "3"}
    assert KIT.reached_wh(door.workspace, "roof-a") == 600
    assert door.push(b"".join(chain)).json()["answers"][3]["verdict"] == "accepted"
    assert KIT.reached_wh(door.workspace, "roof-a") == 800


def test_without_a_valid_key_nothing_is_read(door: Door) -> None:
    size = door.workspace.store.size()
    body = raws("roof-a", 1)[0]
    bare = door.client.post("/readings", content=body, headers=CBOR)
    refused(bare, 401, "api.key_missing")
    assert bare.headers["www-authenticate"] == "Bearer"
    expired_id, expired = door.new_key("push")
    _, wrong_scope = door.new_key("command")
    name, _, secret = door.key.removeprefix("penstock_").partition("_")
    wrong = ["x", "penstock__", f"penstock_{name}_", f"penstock_{name}_{secret[:-1]}", f"penstock_0_{secret}", "é" * 40]
    for shown in wrong:
        odd = [(b"Authorization", f"Bearer {shown}".encode()), (b"Content-Type", b"application/cbor-seq")]
        refused(door.client.post("/readings", content=body, headers=odd), 401, "api.key_unknown")
    revoke_key(door.workspace.path, expired_id, now_us())
    refused(door.push(body, {"Authorization": f"Bearer {expired}"}), 401, "api.key_unknown")
    refused(door.push(body, {"Authorization": f"Bearer {wrong_scope}"}), 403, "api.key_scope")
    assert door.workspace.store.size() == size


def test_a_key_expires(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    _, short = create_key(door.workspace.path, "short", frozenset({"push"}), now_us(), now_us() + 2_000_000)
    headers = {"Authorization": f"Bearer {short}"}
    assert door.push(b"", headers).status_code == 200
    time.sleep(2.05)
    refused(door.push(b"", headers), 401, "api.key_unknown")


def test_unfit_bodies_have_their_code(door: Door) -> None:
    refused(door.push(b"x", {"Content-Type": "image/png"}), 415, "push.media_type")
    odd = [(b"Authorization", f"Bearer {door.key}".encode()), (b"Content-Type", b"text/plain")]
    unprintable = [*odd, (b"Idempotency-Key", b"a\xa0b")]
    refused(door.client.post("/readings", content=b"x", headers=unprintable), 400, "push.key")
    refused(door.push(b"x", {"Idempotency-Key": "k" * 129}), 400, "api.parameter")
    refused(door.push(b"\x5b" + b"\x7f" * 8), 400, "connect.message_too_long")
    refused(door.client.post("/commands", content=b"x" * 70_000), 413, "api.body_too_large")
    refused(door.client.post("/commands", content=iter([b"x"])), 411, "api.body_length")
    for deep in (b"[" * 65_536, b'{"a":' * 12_000, b"[" * 32_000 + b"]" * 32_000):
        refused(door.client.post("/commands", content=deep), 400, "api.body_nested")


def raw_request(door: Door, *headers: str, path: str = "/readings") -> socket.socket:
    host, _, port = urlsplit(door.url).netloc.partition(":")
    opened = socket.create_connection((host, int(port)), timeout=30)
    lines = (f"POST {path} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {door.key}", *headers, "", "")
    opened.sendall("\r\n".join(lines).encode())
    return opened


def status_of(opened: socket.socket) -> int:
    with opened, opened.makefile("rb") as file:
        return int(file.readline().split()[1])


def test_a_gigabyte_is_refused_with_bounded_memory(tmp_path: Path) -> None:
    """Stated, it is refused unread; streamed, once it passes the limit. The whole messages before that stand."""
    with served(tmp_path / "ws", Limits(body_bytes=3_000_000)) as door:
        opened = raw_request(door, "Content-Type: application/cbor-seq", f"Content-Length: {1 << 30}")
        assert status_of(opened) == 413
        chain, junk = raws("roof-a", 2), seal_envelope(Arrived(Form.COSE, bytes(100_000)))
        sent = 0

        def gigabyte() -> Iterator[bytes]:
            nonlocal sent
            yield b"".join(chain)
            while sent < 1 << 30:
                sent += len(junk)
                yield junk

        tracemalloc.start()
        try:
            answer = door.push(gigabyte())
            refused(answer, 413, "push.too_large")
        except httpx.TransportError:
            pass  # the door closed while it was sent to
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert sent < 100 << 20
        assert peak < 64 << 20
        assert door.push(b"".join(chain)).json()["messages"] == 2  # up and well


def test_a_body_that_trickles_is_given_up(door: Door) -> None:
    chain = raws("roof-a", 2)
    opened = raw_request(door, "Content-Type: application/cbor-seq", "Content-Length: 100000")
    opened.sendall(b"".join(chain))  # and then silence
    assert status_of(opened) == 408
    opened = raw_request(door, "Content-Type: application/cbor-seq", "Content-Length: 100000")
    start = time.monotonic()
    try:
        for _ in range(100):
            opened.sendall(b"\x00")
            time.sleep(0.1)
    except OSError:
        opened.close()
    assert time.monotonic() - start < 9


def test_a_small_body_that_trickles_is_given_up(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app_module, "BODY_S", 0.3)
    opened = raw_request(door, "Content-Type: application/json", "Content-Length: 1000", path="/commands")
    opened.sendall(b"{")  # and then silence
    assert status_of(opened) == 408


def test_a_head_that_trickles_is_given_up(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(impatient, "HEAD_S", 0.3)
    host, _, port = urlsplit(door.url).netloc.partition(":")
    with socket.create_connection((host, int(port)), timeout=10) as opened:
        opened.sendall(b"GET /health HTT")
        assert opened.recv(10) == b""
    connection = HTTPConnection(host, int(port), timeout=10)
    for _ in range(2):  # a patient connection lives on
        connection.request("GET", "/health")
        assert connection.getresponse().read()
        time.sleep(0.4)
    connection.close()


def test_an_answer_that_is_not_read_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(impatient, "UNREAD_S", 0.5)
    app, size = FastAPI(), 64 << 20

    @app.get("/long")
    def long() -> Response:
        return Response(bytes(size))

    with serve_in_thread(app) as running:
        host, _, port = urlsplit(running.url).netloc.partition(":")
        with socket.create_connection((host, int(port)), timeout=30) as opened:
            opened.sendall(f"GET /long HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            time.sleep(1.5)
            got = 0
            with suppress(ConnectionResetError):
                while piece := opened.recv(1 << 20):
                    got += len(piece)
        assert 0 < got < size
        assert len(httpx.get(f"{running.url}/long", timeout=30).content) == size  # whoever reads gets it all


def test_too_many_at_once_are_told_to_wait(tmp_path: Path) -> None:
    with served(tmp_path / "ws", Limits(at_once_per_key=1, silence_s=5)) as door:
        slow = raw_request(door, "Content-Type: application/cbor-seq", "Content-Length: 10")
        deadline = time.monotonic() + 10
        answer = door.push(b"")
        while answer.status_code == 200 and time.monotonic() < deadline:
            answer = door.push(b"")
        refused(answer, 429, "push.busy")
        assert answer.headers["retry-after"] == "1"
        slow.close()
        while answer.status_code == 429 and time.monotonic() < deadline:
            answer = door.push(b"")
        assert answer.status_code == 200


def test_a_store_that_cannot_is_a_store_to_wait_for(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    body = b"".join(raws("roof-a", 1))

    def full(*_args: Any, **_kwargs: Any) -> None:
        raise Unavailable("store.disk_full", "The disk is full.")

    with monkeypatch.context() as patched:
        patched.setattr(Sequencer, "submit", full)
        answer = door.push(body)
    refused(answer, 503, "store.disk_full")
    assert answer.headers["retry-after"] == "5"
    assert door.push(body).json()["answers"][0]["verdict"] == "accepted"


def test_many_pushers_at_once_lose_nothing(door: Door) -> None:
    bodies = {name: raws(name, 12) for name in KIT.DEVICES}
    failed: list[str] = []

    def pusher(name: str) -> None:
        _, key = door.new_key("push")
        for raw in bodies[name]:
            for _ in range(100):
                answer = door.push(raw, {"Authorization": f"Bearer {key}"})
                if answer.status_code != 429:
                    break
                time.sleep(0.02)
            if answer.status_code != 200:
                failed.append(answer.text)

    threads = [threading.Thread(target=pusher, args=(name,)) for name in KIT.DEVICES]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert [KIT.reached_wh(door.workspace, name) for name in KIT.DEVICES] == [12 * 200] * 3


def test_a_spool_forwards_over_http(door: Door, tmp_path: Path) -> None:
    with Spool(tmp_path / "spool.sqlite") as spool:
        spool.put(KIT.chain_of("roof-a", 10))
        with pytest.raises(Unavailable):
            drain(spool, over_http("http://127.0.0.1:1", door.key))
        with pytest.raises(Refused) as caught:
            drain(spool, over_http(door.url, "penstock_no_key"))
        assert caught.value.code == "connect.refused"
        assert drain(spool, over_http(door.url, door.key)) == 10
    assert KIT.reached_wh(door.workspace, "roof-a") == 2_000


def command(**changed: Any) -> dict[str, Any]:
    now = now_us()
    words = {"id": "c-1", "device": "roof-a", "verb": "shed", "power_w": 500}
    times = {"start_us": now, "stop_us": now + DAY_US, "expires_us": now + DAY_US // 2}
    said: dict[str, Any] = {**words, **times} | changed
    signed = signed_by(OPERATOR, Command(**said, signature=b""))
    return said | {"signer": OPERATOR.public.hex(), "signature": signed.signature.hex()}


def test_a_command_is_asked_once_and_followed(door: Door) -> None:
    _, key = door.new_key("command")
    headers = {"Authorization": f"Bearer {key}"}
    asked = command()
    for _ in range(2):
        answer = door.client.post("/commands", json=asked, headers=headers)
        assert (answer.status_code, answer.json()["state"]) == (201, "asked")
    listed = door.client.get("/commands", headers=headers).json()
    assert (listed["total"], listed["commands"]) == (1, [answer.json()])
    assert door.client.get("/commands/c-1", headers=headers).json() == answer.json()
    refused(door.client.get("/commands/c-2", headers=headers), 404, "command.unknown")
    altered = command(id="c-2") | {"power_w": 9_000}
    refused(door.client.post("/commands", json=altered, headers=headers), 422, "command.signature")
    refused(
        door.client.post("/commands", json=command(id="c-3", device="x"), headers=headers), 404, "command.no_device"
    )
    refused(door.client.post("/commands", json=command(id="c-4", verb="dance"), headers=headers), 400, "api.parameter")
    for path in ("/commands", "/commands/c-1"):
        refused(door.client.get(path, headers={"Authorization": f"Bearer {door.key}"}), 403, "api.key_scope")


def test_the_form_of_it_all_is_described(door: Door) -> None:
    api = door.client.get("/openapi.json").json()
    scheme = api["components"]["securitySchemes"]["ApiKey"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    push = api["paths"]["/readings"]["post"]
    assert push["security"] == [{"ApiKey": []}]
    assert set(push_module.SPLITTERS) == push["requestBody"]["content"].keys()
    assert {"200", "401", "403", "408", "413", "429", "503"} <= push["responses"].keys()
    assert all(api["paths"][path][verb]["security"] for path, verb in (("/commands", "post"), ("/commands", "get")))
    assert gate_module.BEARER.scheme_name == "ApiKey"

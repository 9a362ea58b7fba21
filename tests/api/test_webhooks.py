"""Webhooks: exactly the facts of an account, in order, signed, until taken; and nowhere they must not go."""

from __future__ import annotations

import hashlib
import hmac
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from member_kit import ROOF, Door, served, wh

from penstock.errors import Invalid, Unavailable
from penstock.period import SECOND_US
from penstock.usecases import webhook_call
from penstock.usecases.trail import Trail
from penstock.usecases.webhook import FAILURES_MAX, GONE, Deliverer, Webhooks, deliver
from penstock.usecases.webhook_call import check_address, send, target_of

DAYS_US = 10**12


class Receiver(HTTPServer):
    """Takes messages, and answers the statuses it was given, 200 once they are used up."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/hook"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        self.server.got.append(({name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(status)
        self.send_header("Location", self.server.url)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def receiving() -> Iterator[Receiver]:
    with Receiver() as receiver:
        thread = threading.Thread(target=receiver.serve_forever, daemon=True)
        thread.start()
        yield receiver
        receiver.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with served(tmp_path_factory.mktemp("hooks") / "ws") as opened:
        yield opened


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as opened:
        yield opened


def told(door: Door, at_us: int = DAYS_US) -> int:
    return deliver(door.hooks, door.trail, door.workspace, lambda: at_us)


@pytest.fixture
def hook(door: Door, receiver: Receiver) -> Iterator[dict[str, Any]]:
    made = door.done("buyer", "POST", "/webhooks", {"account": "buyer", "url": receiver.url})
    yield made
    door.ask("buyer", "DELETE", f"/webhooks/{made['id']}")


def move(door: Door, quantity_wh: int, target: str = "buyer") -> int:
    asked = {"account": "operator", "target": target, "selection": wh(quantity_wh, register=ROOF)}
    return int(door.done("operator", "POST", "/certificates/transfer", asked)["first_seq"])


def test_an_account_is_told_of_its_facts_alone_and_in_order(
    door: Door, receiver: Receiver, hook: dict[str, Any]
) -> None:
    others = door.done("operator", "POST", "/certificates/retire", retire("operator", 1))["first_seq"]
    seqs = [move(door, 2), move(door, 3)]
    assert others < seqs[0] and told(door) == 2 and told(door) == 0
    bodies = [json.loads(body) for _, body in receiver.got]
    assert [one["seq"] for one in bodies] == seqs
    assert [sum(span["stop"] - span["start"] for span in one["spans"]) for one in bodies] == [2, 3]
    assert all(one["fact"]["kind"] == one["kind"] == "titles.moved" for one in bodies)
    for headers, body in receiver.got:
        at_s, said = (part.partition("=")[2] for part in headers["penstock-signature"].split(","))
        key, signed = bytes.fromhex(hook["secret"]), at_s.encode() + b"." + body
        assert at_s == str(DAYS_US // SECOND_US)
        assert said == hmac.new(key, signed, hashlib.sha256).hexdigest()
    assert [headers["penstock-message"] for headers, _ in receiver.got] == [f"{hook['id']}-{seq}" for seq in seqs]


def retire(account: str, quantity_wh: int) -> dict[str, Any]:
    return {"account": account, "beneficiary": "all", "reason": "test", "selection": wh(quantity_wh, register=ROOF)}


def test_what_is_not_taken_is_sent_again_later_and_before_what_follows(
    door: Door, receiver: Receiver, hook: dict[str, Any]
) -> None:
    first, second = move(door, 1), move(door, 1)
    receiver.statuses = [500, 503, 302]
    waits = []
    at_us = DAYS_US
    for _ in range(3):
        assert told(door, at_us) == 0
        (row,) = [one for one in door.hooks.rows() if one.id == hook["id"]]
        waits.append((row.due_us - at_us) // SECOND_US)
        assert told(door, row.due_us - 1) == 0  # not yet
        at_us = row.due_us
    assert waits == [1, 2, 4] and len(receiver.got) == 3  # a redirect is followed nowhere
    assert door.get("buyer", "/webhooks")["webhooks"][0]["state"] == "failing"
    assert told(door, at_us) == 2
    assert [json.loads(body)["seq"] for _, body in receiver.got] == [first, first, first, first, second]
    (shown,) = door.get("buyer", "/webhooks")["webhooks"]
    assert (shown["state"], shown["failures"], shown["next_seq"]) == ("active", 0, second + 1)
    assert "secret" not in shown


def test_a_receiver_that_is_gone_or_fails_for_days_is_told_no_more(
    door: Door, receiver: Receiver, hook: dict[str, Any]
) -> None:
    move(door, 1)
    door.hooks.note(door.hooks.rows()[-1], failures=FAILURES_MAX - 1)
    receiver.statuses = [500]
    assert told(door) == 0 and told(door, 2 * DAYS_US) == 0 and len(receiver.got) == 1
    assert door.get("buyer", "/webhooks")["webhooks"][0]["state"] == "stopped"
    again = door.done("buyer", "POST", "/webhooks", {"account": "buyer", "url": receiver.url, "start": 0})
    receiver.statuses = [GONE]
    assert told(door) == 0
    assert [one["state"] for one in door.get("buyer", "/webhooks")["webhooks"]] == ["stopped", "stopped"]
    door.done("buyer", "DELETE", f"/webhooks/{again['id']}")


def test_a_process_that_died_goes_on_where_it_was(door: Door, receiver: Receiver, hook: dict[str, Any]) -> None:
    seqs = [move(door, 1), move(door, 1)]
    told(door)
    later = move(door, 1)
    fresh, hooks = Trail(door.workspace), Webhooks(door.workspace.path, loopback=True)
    assert deliver(hooks, fresh, door.workspace, lambda: DAYS_US) == 1
    hooks.close()
    assert [json.loads(body)["seq"] for _, body in receiver.got] == [*seqs, later]


def test_the_thread_delivers_and_stops(door: Door, receiver: Receiver, hook: dict[str, Any]) -> None:
    seq = move(door, 1)
    with Deliverer(door.hooks, door.trail, door.workspace, lambda: DAYS_US) as deliverer:
        for _ in range(200):
            if receiver.got:
                break
            deliverer._stop.wait(0.05)
    assert [json.loads(body)["seq"] for _, body in receiver.got] == [seq] and deliverer.failure is None


def test_subscriptions_are_their_members(door: Door, receiver: Receiver, hook: dict[str, Any]) -> None:
    asked = {"account": "buyer", "url": receiver.url}
    assert door.refused("trader", "POST", "/webhooks", asked) == (403, "account.not_member")
    assert door.refused("trader", "DELETE", f"/webhooks/{hook['id']}") == (404, "webhook.unknown")
    assert door.get("trader", "/webhooks")["webhooks"] == []
    assert door.refused("", "GET", "/webhooks") == (401, "api.key_missing")


def test_who_is_no_member_any_more_is_told_no_more(door: Door, receiver: Receiver) -> None:
    door.done("viewer", "POST", "/webhooks", {"account": "operator", "url": receiver.url})
    move(door, 1)
    assert told(door) == 1
    member = f"/organisations/maker/members/{door.ids['viewer']}"
    door.done("operator", "PUT", member, {"roles": []})
    move(door, 1)
    assert told(door) == 0 and len(receiver.got) == 1
    (row,) = door.get("viewer", "/webhooks")["webhooks"]
    assert (row["state"], row["note"]) == ("stopped", "account.not_member")
    door.done("operator", "PUT", member, {"roles": ["viewer"]})
    assert told(door) == 0  # who comes back subscribes again


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/hook",
        "ftp://example.org/",
        "https://user:word@example.org/",
        "https://example.org/#part",
        "https:///nowhere",
        "https://example.org:99999/",
        "https://exa mple.org/",
        "https://[::1",
        "http://127.0.0.1.example.org/",
        "file:///etc/passwd",
        "x" * 3_000,
    ],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(Invalid, match=r"webhook\.url"):
        target_of(url, loopback=True)


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1", "172.16.5.5", "192.168.1.1", "169.254.169.254", "100.64.0.1", "127.0.0.1", "0.0.0.0",  # noqa: S104
        "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fd00::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1",
        "64:ff9b::a00:1", "2002:a00:1::", "2001:0:a00:1::", "ff02::1", "::7f00:1", "64:ff9b:1::a00:1", "fec0::1",
    ],
)  # fmt: skip
def test_messages_go_to_public_addresses_only(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 443)), (0, 0, 0, "", (address, 443))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(Invalid, match=r"webhook\.private"):
        check_address(target_of("https://example.org/", loopback=False), loopback=False)


def test_loopback_has_to_be_allowed(receiver: Receiver) -> None:
    with pytest.raises(Invalid, match=r"webhook\.url"):
        send(receiver.url, bytes(32), "m", b"{}", 0, loopback=False)
    with pytest.raises(Invalid, match=r"webhook\.private"):
        send(receiver.url.replace("http:", "https:"), bytes(32), "m", b"{}", 0, loopback=False)
    assert receiver.got == [] and send(receiver.url, bytes(32), "m", b"{}", 0, loopback=True) == 200


def test_an_answer_that_drips_in_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_call, "WHOLE_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as slow:
        ended = threading.Event()

        def drip() -> None:
            taken, _ = slow.accept()
            with taken, suppress(OSError):
                taken.sendall(b"HTTP/1.1 200 ")
                while not ended.wait(0.05):
                    taken.sendall(b"O")

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        with pytest.raises(Unavailable, match=r"webhook\.unreachable"):
            send(f"http://127.0.0.1:{slow.getsockname()[1]}/", bytes(32), "m", b"{}", 0, loopback=True)
        ended.set()
        thread.join()


def test_nobody_there_and_no_name_may_be_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(Unavailable, match=r"webhook\.unreachable"):
        send(f"http://127.0.0.1:{port}/", bytes(32), "m", b"{}", 0, loopback=True)

    def unknown(*_: Any, **__: Any) -> Any:
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    with pytest.raises(Unavailable, match=r"webhook\.unresolved"):
        check_address(target_of("https://example.org/", loopback=False), loopback=False)


def test_who_may_be_told_so_much(door: Door, tmp_path: Path) -> None:
    hooks = Webhooks(tmp_path, loopback=True)
    for _ in range(20):
        hooks.subscribe("me", "buyer", "http://127.0.0.1:1/", 0, 1)
    from penstock.errors import Refused

    with pytest.raises(Refused, match=r"webhook\.too_many"):
        hooks.subscribe("me", "buyer", "http://127.0.0.1:1/", 0, 1)
    assert len(hooks.of("me")) == 20 and hooks.of("you") == []
    assert "secret" not in repr(hooks.rows()[0]) and (tmp_path / "door.sqlite").stat().st_mode & 0o077 == 0
    hooks.close()

"""The commands as they are run: a served workspace, a key for its door, a folder, a broker, a device that obeys."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from connect_kit import DEVICES, chain_of, enrolled, reached_wh, verdicts
from mosquitto_kit import Mosquitto, needs_mosquitto

from penstock.connect.command import check_command
from penstock.connect.ports import Answer, Command
from penstock.connect.spool import Spool, now_us
from penstock.errors import Unavailable
from penstock.usecases.collect import over_http
from penstock.usecases.workspace import Workspace

WAIT_S = 60.0
PENSTOCK = (sys.executable, "-m", "penstock")


def run(*words: str, **environment: str) -> dict[str, Any]:
    done = subprocess.run(
        [*PENSTOCK, *words, "--json"], capture_output=True, text=True, timeout=WAIT_S, env=os.environ | environment
    )
    said: dict[str, Any] = json.loads(done.stdout)
    return said | {"exit": done.returncode}


@contextmanager
def running(*words: str, **environment: str) -> Iterator[dict[str, Any]]:
    """What a command says first, while it runs; it ends clean when it is told to."""
    process = subprocess.Popen(
        [*PENSTOCK, *words, "--json"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environment,
    )
    try:
        assert process.stdout
        line = process.stdout.readline()
        yield json.loads(line) if line else {}
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=WAIT_S)
    assert (process.returncode, errors) == (0, "")


def eventually(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.1)


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    enrolled(tmp_path / "ws").store.close()
    return tmp_path / "ws"


def reached(path: Path, device: str) -> int:
    with Workspace(path, read_only=True) as opened:
        return reached_wh(opened, device)


def state_of(path: Path, command: str) -> str:
    with Workspace(path, read_only=True) as opened:
        return str(opened.read(lambda world: world.commands.standing(command)).state)


def test_a_folder_is_taken_once(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.cbor").write_bytes(b"".join(one.raw for one in chain_of("roof-a", 3)))
    (tmp_path / "in" / "b.cbor").write_bytes(b"\x1c")
    words = ("connect", "folder", str(tmp_path / "in"), "--once", "--workspace", str(workspace))
    assert run(*words) == {"files": 2, "failed": 1, "delivered": 3, "waiting": 0, "exit": 0}
    assert reached(workspace, "roof-a") == 600
    assert run(*words)["files"] == 0
    nowhere = ("--workspace", str(tmp_path / "nowhere"))
    assert run(*words[:-2], *nowhere) | {"message": "", "hint": "", "context": {}} == {
        "error": "NotFound", "code": "store.no_workspace", "message": "", "hint": "", "context": {}, "exit": 4,
    }  # fmt: skip


def test_keys_are_administered_from_the_command_line(workspace: Path) -> None:
    here = ("--workspace", str(workspace))
    made = run("key", "create", "gateway north", "--scope", "push", "--scope", "command", "--days", "7", *here)
    (listed,) = run("key", "list", *here)["keys"]
    assert (listed["id"], listed["scopes"], listed["state"]) == (made["id"], ["command", "push"], "valid")
    assert made["key"].startswith(f"penstock_{made['id']}_") and "key" not in listed
    assert run("key", "revoke", made["id"], *here)["state"] == "revoked"
    assert run("key", "revoke", made["id"], *here)["code"] == "key.unknown"


def test_what_lies_in_a_folder_elsewhere_is_pushed_to_the_door(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.cbor").write_bytes(b"".join(one.raw for one in chain_of("roof-a", 5)))
    key = run("key", "create", "gateway", "--scope", "push", "--workspace", str(workspace))["key"]
    words = ("connect", "folder", str(tmp_path / "in"), "--once", "--workspace", str(tmp_path / "away"), "--to")
    with running("serve", "--workspace", str(workspace), "--port", "0", "--rpc-port", "0") as said:
        assert run(*words, said["url"], PENSTOCK_API_KEY="penstock_no_key")["code"] == "connect.refused"
        assert run(*words, said["url"], PENSTOCK_API_KEY=key)["delivered"] == 5
    assert reached(workspace, "roof-a") == 1_000


def test_a_server_that_is_killed_costs_the_sender_nothing_but_time(workspace: Path, tmp_path: Path) -> None:
    """A spool forwards to a door whose process is killed at any instant and comes back on another port."""
    key = run("key", "create", "gateway", "--scope", "push", "--workspace", str(workspace))["key"]
    words = [*PENSTOCK, "serve", "--workspace", str(workspace), "--port", "0", "--rpc-port", "0", "--json"]
    dice = random.Random(11)  # noqa: S311
    with Spool(tmp_path / "gateway.sqlite") as outbox:
        for step in zip(*(chain_of(device, 60) for device in DEVICES), strict=True):
            outbox.put(step)
        for kill in (True, True, False):
            server = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            assert server.stdout
            deliver = over_http(json.loads(server.stdout.readline())["url"], key)
            timer = threading.Timer(0.05 + 0.2 * dice.random(), server.kill)
            if kill:
                timer.start()
            with suppress(Unavailable):
                while batch := outbox.cut(messages_max=4):
                    deliver(batch)
                    outbox.done(batch.number)
            timer.cancel()
            server.kill()
            server.communicate()
        assert outbox.waiting().messages == 0
    with Workspace(workspace, read_only=True) as opened:
        assert verdicts(opened) == {"accepted": 60 * len(DEVICES)}
        assert [reached_wh(opened, device) for device in DEVICES] == [60 * 200] * len(DEVICES)


@needs_mosquitto
def test_a_served_workspace_collects_and_commands(workspace: Path, tmp_path: Path) -> None:
    """All of it at once: a folder, a broker, a gateway that forwards through it, a command sent through the door."""
    pytest.importorskip("aiomqtt", reason="the extra `field` is not installed")
    from penstock.connect.mqtt_device import CommandReceiver, over_mqtt
    from penstock.usecases.collect import drain

    mosquitto = Mosquitto(tmp_path / "broker")
    mosquitto.start()
    address, keys = f"mqtt://127.0.0.1:{mosquitto.port}", ("--keys", str(tmp_path / "keys"))
    (tmp_path / "in").mkdir()
    operator = run("command", "key", "operator", *keys, PENSTOCK_PASSPHRASE="open sesame")["public"]
    api_key = run("key", "create", "desk", "--scope", "command", "--workspace", str(workspace))["key"]

    def obey(command: Command) -> list[Answer]:
        check_command(command, bytes.fromhex(operator), "roof-b", now_us())
        return [Answer(command.id, "received", now_us()), Answer(command.id, "done", now_us(), "shed")]

    words = ("serve", "--workspace", str(workspace), "--port", "0", "--rpc-port", "0", "--mqtt", address)
    try:
        with running(*words, "--folder", str(tmp_path / "in")) as said:
            (tmp_path / "in" / "a.cbor").write_bytes(b"".join(one.raw for one in chain_of("roof-a", 2)))
            with Spool(tmp_path / "gateway.sqlite") as outbox:
                outbox.put(chain_of("roof-b", 4))
                assert drain(outbox, over_mqtt(mosquitto.broker, "gateway", WAIT_S)) == 4
            with CommandReceiver(mosquitto.broker, "roof-b", obey) as device:
                assert device.wait_until_up(WAIT_S)
                asked = run(
                    *("command", "send", "roof-b", "shed", "--power-w", "500", "--key", "operator"),
                    *(*keys, "--to", said["url"]),
                    PENSTOCK_PASSPHRASE="open sesame",
                    PENSTOCK_API_KEY=api_key,
                )
                assert (asked["state"], asked["signer"]) == ("asked", operator)
                eventually(lambda: state_of(workspace, asked["command"]) == "done")
            listed = run("command", "list", "--workspace", str(workspace), "--device", "roof-b")
            assert [one["note"] for one in listed["commands"]] == ["shed"]
            eventually(lambda: reached(workspace, "roof-a") == 400)
            eventually(lambda: reached(workspace, "roof-b") == 800)
    finally:
        mosquitto.kill()
    with Workspace(workspace, read_only=True) as opened:
        assert verdicts(opened) == {"accepted": 6}


def test_a_command_needs_its_key_and_its_passphrase(workspace: Path, tmp_path: Path) -> None:
    keys = ("--keys", str(tmp_path / "keys"))
    assert run("command", "key", "operator", *keys)["code"] == "key.no_passphrase"
    run("command", "key", "operator", *keys, PENSTOCK_PASSPHRASE="right")
    words = ("command", "send", "roof-a", "shed", "--power-w", "500", *keys, "--workspace", str(workspace))
    assert run(*words, "--key", "operator", PENSTOCK_PASSPHRASE="wrong")["code"] == "key.passphrase"
    assert run(*words, "--key", "nobody", PENSTOCK_PASSPHRASE="right")["code"] == "key.missing"
    assert run(*words, "--key", "operator", PENSTOCK_PASSPHRASE="right")["state"] == "asked"

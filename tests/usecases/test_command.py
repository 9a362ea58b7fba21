"""Commands: asked before they are sent, answered by the right device, expired when nobody received them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from small_plant import START_US, Plant

from penstock.connect.command import check_command, command_text, read_answer, read_command, signed_by, write_answer
from penstock.connect.command import write_command as written
from penstock.connect.ports import Answer, Command
from penstock.errors import Conflict, Invalid, NotFound, PenstockError, Refused, Unavailable, Unverified
from penstock.journal.kinds.command import CommandAnswered, CommandAsked, CommandState
from penstock.keys import SigningKey
from penstock.period import DAY_US, SECOND_US
from penstock.usecases.command import as_command, dispatch, listener, record_answer, record_command, rows
from penstock.usecases.workspace import Workspace

KEY, OTHER = SigningKey(bytes(range(32))), SigningKey(bytes(32))
NOW = START_US + DAY_US
MINUTE = 60 * SECOND_US


def command(id: str = "c-1", **changed: Any) -> Command:
    said: dict[str, Any] = {
        "device": "roof-a",
        "verb": "shed",
        "power_w": -500,
        "start_us": NOW,
        "stop_us": NOW + 15 * MINUTE,
        "expires_us": NOW + 5 * MINUTE,
    }
    return signed_by(KEY, Command(id, **(said | changed), signature=b""))


class Field:
    """Devices behind one connector: what each answers, in the order it is asked."""

    def __init__(self, *answers: str) -> None:
        self.answers, self.sent = list(answers), list[Command]()

    def send(self, command: Command) -> Answer:
        self.sent.append(command)
        answer = self.answers.pop(0) if self.answers else "away"
        if answer == "away":
            raise Unavailable("connect.unreachable", "Away.")
        return Answer(command.id, answer, NOW + SECOND_US, "as asked")


@pytest.fixture
def workspace(plant: Plant) -> Iterator[Workspace]:
    yield plant.workspace


def ask(workspace: Workspace, asked: Command, now_us: int = NOW) -> None:
    record_command(workspace, asked, KEY.public, now_us)


def state(workspace: Workspace, id: str = "c-1") -> str:
    return workspace.read(lambda world: world.commands.standing(id)).state.value


def facts(workspace: Workspace) -> list[CommandAsked | CommandAnswered]:
    found = (row.recorded.fact for row in workspace.facts())
    return [fact for fact in found if isinstance(fact, CommandAsked | CommandAnswered)]


def test_a_command_is_asked_received_and_done(workspace: Workspace) -> None:
    field = Field("received")
    ask(workspace, command())
    assert dispatch(workspace, lambda _device: field, lambda: NOW) == 1
    assert (field.sent, state(workspace)) == ([command()], "received")
    listener(workspace, lambda: NOW)("roof-a", Answer("c-1", "done", NOW))
    assert dispatch(workspace, lambda _device: field, lambda: NOW + DAY_US) == 0  # received: it cannot expire any more
    asked, received, done = facts(workspace)
    assert isinstance(asked, CommandAsked) and as_command(asked) == command() and asked.signer == KEY.public
    assert received == CommandAnswered("c-1", CommandState.RECEIVED, NOW + SECOND_US, "as asked")
    assert done == CommandAnswered("c-1", CommandState.DONE, NOW, "")
    (row,) = rows(workspace)
    assert (row["state"], row["power_w"]) == ("done", -500)
    assert rows(workspace, "roof-b") == []


def test_a_command_is_sent_until_it_is_answered(workspace: Workspace) -> None:
    field = Field("away", "away", "refused")
    ask(workspace, command())
    counts = [dispatch(workspace, lambda _device: field, lambda: NOW) for _ in range(4)]
    assert counts == [0, 0, 1, 0]
    assert len(field.sent) == 3
    assert state(workspace) == "refused"


def test_what_nobody_received_expires(workspace: Workspace) -> None:
    field = Field()
    ask(workspace, command())
    ask(workspace, command("c-2", device="roof-b"))
    assert dispatch(workspace, lambda device: field if device == "roof-a" else None, lambda: NOW) == 0
    for _ in range(2):
        dispatch(workspace, lambda _device: field, lambda: NOW + 5 * MINUTE)
    assert [state(workspace, name) for name in ("c-1", "c-2")] == ["expired", "expired"]
    assert len(facts(workspace)) == 4
    assert len(field.sent) == 1


def test_a_late_word_is_recorded_and_the_last_word_is_last(workspace: Workspace) -> None:
    ask(workspace, command())
    dispatch(workspace, lambda _device: None, lambda: NOW + 5 * MINUTE)
    for word in ("received", "done"):  # the line was down, the device had it in time
        record_answer(workspace, "roof-a", Answer("c-1", word, NOW + MINUTE), NOW + DAY_US)
        assert state(workspace) == word
    with pytest.raises(Refused) as caught:
        record_answer(workspace, "roof-a", Answer("c-1", "failed", NOW), NOW)
    assert caught.value.code == "command.closed"


def test_asking_twice_is_asking_once(workspace: Workspace) -> None:
    for _ in range(2):
        ask(workspace, command())
    assert len(facts(workspace)) == 1
    with pytest.raises(Conflict):
        ask(workspace, command(power_w=1))


@pytest.mark.parametrize(
    ("asked", "kind", "code"),
    [
        (command(device="nobody"), NotFound, "command.no_device"),
        (dataclasses.replace(command(), power_w=1), Unverified, "command.signature"),
        (command(verb="dance"), Invalid, "command.form"),
        (command(id=""), Invalid, "command.form"),
        (command(id="x" * 33), Invalid, "command.form"),
        (command(power_w=10**13), Invalid, "command.form"),
        (command(stop_us=NOW), Invalid, "command.form"),
        (command(stop_us=NOW + 400 * DAY_US), Invalid, "command.form"),
        (command(expires_us=NOW + DAY_US), Invalid, "command.form"),
        (command(start_us=NOW - MINUTE, expires_us=NOW), Refused, "command.expired"),
    ],
)
def test_what_may_not_be_asked_leaves_no_fact(
    workspace: Workspace, asked: Command, kind: type[PenstockError], code: str
) -> None:
    with pytest.raises(kind) as caught:
        ask(workspace, asked)
    assert caught.value.code == code
    assert facts(workspace) == []


def test_an_answer_is_its_own_device_s_and_counts_once(workspace: Workspace) -> None:
    ask(workspace, command())
    with pytest.raises(NotFound):
        record_answer(workspace, "roof-b", Answer("c-1", "done", NOW), NOW)
    with pytest.raises(NotFound):
        record_answer(workspace, "roof-a", Answer("c-9", "done", NOW), NOW)
    with pytest.raises(Invalid):
        record_answer(workspace, "roof-a", Answer("c-1", "expired", NOW), NOW)
    hear = listener(workspace, lambda: NOW)
    hear("attacker", Answer("c-1", "done", NOW))  # ignored, whoever hears it goes on
    for answer in ("done", "done", "received"):  # the line may repeat and reorder
        hear("roof-a", Answer("c-1", answer, NOW))
    assert [fact.state for fact in facts(workspace)[1:]] == [CommandState.DONE]  # type: ignore[union-attr]


def test_commands_survive_in_the_journal(plant: Plant, tmp_path: Path) -> None:
    ask(plant.workspace, command())
    with Workspace(plant.workspace.path, read_only=True) as again:
        assert state(again) == "asked"
        assert [as_command(one.asked) for one in again.read(lambda world: world.commands.waiting())] == [command()]


def test_a_device_checks_before_it_obeys() -> None:
    check_command(command(), KEY.public, "roof-a", NOW)
    for now_us, device, code in (
        (NOW + 5 * MINUTE, "roof-a", "command.expired"),
        (NOW, "roof-b", "command.other_device"),
    ):
        with pytest.raises(Refused) as caught:
            check_command(command(), KEY.public, device, now_us)
        assert caught.value.code == code
    for field in ("device", "verb", "power_w", "start_us", "stop_us", "expires_us", "id"):
        value = getattr(command(), field)
        forged = dataclasses.replace(command(), **{field: value + (1 if isinstance(value, int) else "x")})
        with pytest.raises(Unverified):
            check_command(forged, KEY.public, "roof-a", NOW)
    with pytest.raises(Unverified):
        check_command(command(), OTHER.public, "roof-a", NOW)


def test_commands_and_answers_travel() -> None:
    assert read_command(written(command())) == command()
    assert command_text(command()).startswith(b"penstock/command/1\n{")
    answer = Answer("c-1", "done", NOW, "ångström")
    assert read_answer(write_answer(answer)) == answer
    said = {"command": "c-1", "state": "done", "at_us": str(NOW), "note": "a\nb" + "x" * 300}
    assert read_answer(json.dumps(said).encode()).note == "a b" + "x" * 197


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{",
        b"[]",
        b"x" * 5_000,
        written(command())[:-1],
        written(command()).replace(b'"-500"', b'"-0500"'),
        b"\xff",
    ],
)
def test_what_is_no_command_is_no_command(raw: bytes) -> None:
    with pytest.raises(Invalid) as caught:
        read_command(raw)
    assert caught.value.code == "command.malformed"
    with pytest.raises(Invalid) as answered:
        read_answer(raw)
    assert answered.value.code == "command.answer_malformed"

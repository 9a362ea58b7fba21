"""The JSON forms of what is written through this door: verdicts on what was pushed, commands."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from penstock.api.forms import Form

Int64 = Annotated[int, Field(ge=-(2**63), lt=2**63)]


class Judged(Form):
    """What became of a message or a reading, and why in plain words."""

    verdict: str
    outcome: Literal["accepted", "accepted_with_findings", "quarantined", "refused"]
    sentence: str
    findings: list[str]


class PushedReading(Judged):
    """A reading: where its register stood, at what assurance level, and its verdict."""

    register_: str | None = Field(alias="register")
    at_us: int
    position_wh: int
    assurance: str | None


class PushedMessage(Judged):
    """A message in its place in the body: its device where that is known, its verdict, and one for each reading."""

    number: int
    device: str | None
    sequence: int | None
    readings: list[PushedReading]


class Pushed(Form):
    """Every message of a body in its order; ``repeated`` where all of it was recorded before."""

    messages: int
    repeated: bool
    answers: list[PushedMessage]


class CommandAskedOf(Form):
    """A command, signed by the operator over its canonical text (docs/connect.md); times in microseconds UTC."""

    id: str = Field(min_length=1, max_length=32)
    device: str = Field(min_length=1, max_length=256)
    verb: Literal["set_point", "charge", "shed"]
    power_w: Int64
    start_us: Int64
    stop_us: Int64
    expires_us: Int64
    signer: str = Field(pattern="^[0-9a-f]{64}$", description="The operator's Ed25519 public key.")
    signature: str = Field(pattern="^[0-9a-f]{128}$")


class CommandRow(Form):
    """A command and where it stands."""

    command: str
    device: str
    verb: str
    power_w: int
    start_us: int
    stop_us: int
    expires_us: int
    state: Literal["asked", "received", "done", "refused", "failed", "expired"]
    asked: str
    since: str
    note: str
    signer: str


class CommandRows(Form):
    """Commands, newest first."""

    total: int
    next_after: int | None
    commands: list[CommandRow]

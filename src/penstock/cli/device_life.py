"""`penstock device rotate|revoke|reclaim|transfer|replace|epoch|retire|lock|place`: acts on devices."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from penstock.cli.show import HERE, AsJson, Workspace, emit, table

Device = Annotated[str, typer.Argument(help="The device's name.")]
From = Annotated[str, typer.Option("--from", help="From when on (ISO 8601 with an offset); now where left out.")]
NewKey = Annotated[Path, typer.Option("--new-key", help="File with the new key (see docs/devices.md).")]
OldKey = Annotated[Path, typer.Option("--old-key", help="File with the present key.")]
OwnerKey = Annotated[Path | None, typer.Option("--owner-key", help="File with the owner's Ed25519 key.")]
STARTS = "What each channel of the new meter showed when it was put in [Wh], in their order; 0 where left out."
Reason = Annotated[str, typer.Option("--reason", help="Why, in a few words.")]
Statement = Annotated[bool, typer.Option("--statement", help="Only print, in hex, the bytes to be signed.")]
Signature = Annotated[str, typer.Option("--signature", help="The signature, in hex, where it was made elsewhere.")]


def rotate(
    device: Device,
    old_key: OldKey,
    new_key: NewKey,
    last_sequence: Annotated[int, typer.Option(help="Number of the last message of the present key.")] = -1,
    since: From = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """The present key names the next one."""
    from penstock.journal.kinds.device import KeyRotated
    from penstock.usecases.device_desk import Pen, act_on, key_in

    new = key_in(new_key)
    fact = KeyRotated(device, new.kind, new.public, _since_us(since), last_sequence, b"", b"")
    _show(act_on(workspace, fact, _now_us(), {"signature": Pen(old_key), "proof": Pen(new_key)}), as_json)


def revoke(
    device: Device,
    since: From = "",
    reason: Reason = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """The device's key is not trusted any more: nothing counts that arrives after this."""
    from penstock.journal.kinds.device import KeyRevoked
    from penstock.usecases.device_desk import act_on

    _show(act_on(workspace, KeyRevoked(device, _since_us(since), reason), _now_us()), as_json)


def reclaim(
    device: Device,
    owner_key: Annotated[Path, typer.Option("--owner-key", help="File with the owner's Ed25519 key.")],
    new_key: NewKey,
    since: From = "",
    reason: Reason = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Another key after one that was lost or revoked; the owner signs."""
    from penstock.journal.kinds.device import KeyReclaimed
    from penstock.usecases.device_desk import Pen, act_on, key_in, owners_pen

    new, pens = key_in(new_key), {"owner_signature": owners_pen(owner_key), "proof": Pen(new_key)}
    fact = KeyReclaimed(device, new.kind, new.public, _since_us(since), reason, b"", b"")
    _show(act_on(workspace, fact, _now_us(), pens), as_json)


def transfer(
    device: Device,
    owner: Annotated[str, typer.Argument(help="The new owner's account, opened where there is none.")],
    new_owner_key: Annotated[str, typer.Option(help="The new owner's Ed25519 public key, in hex.")] = "",
    since: From = "",
    owner_key: OwnerKey = None,
    signature: Signature = "",
    statement: Statement = False,
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Later output is another's; the present owner signs, where a key of theirs is known."""
    from penstock.journal.kinds.device import DeviceTransferred
    from penstock.usecases.device_desk import act_on, owners_pen, statement_of

    fact = DeviceTransferred(device, owner, hex_bytes(new_owner_key), _since_us(since), b"")
    if statement:
        typer.echo(statement_of(workspace, fact).hex())
        return
    _show(act_on(workspace, fact, _now_us(), {"owner_signature": owners_pen(owner_key, hex_bytes(signature))}), as_json)


def replace(
    device: Device,
    new_key: NewKey,
    start_wh: Annotated[list[int] | None, typer.Option(help=STARTS)] = None,
    since: From = "",
    owner_key: OwnerKey = None,
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Another meter: a new key, and a new epoch for each of the device's registers."""
    from penstock.journal.kinds.device import MeterReplaced
    from penstock.journal.words import EpochCause
    from penstock.usecases.device_desk import Pen, key_in, owners_pen, planned_epochs, replace_with

    from_us, new, owner = _since_us(since), key_in(new_key), owners_pen(owner_key)
    meter = MeterReplaced(device, new.kind, new.public, from_us, b"", b"")
    epochs = planned_epochs(workspace, device, start_wh or (), cause=EpochCause.REPLACED, from_us=from_us)
    _show(replace_with(workspace, meter, epochs, Pen(new_key), owner, _now_us()), as_json)


def epoch(
    device: Device,
    cause: Annotated[str, typer.Argument(help="rolled_over or reset.")],
    channel: Annotated[int, typer.Option(help="Which of the device's registers, from 0.")] = 0,
    start_wh: Annotated[int, typer.Option(help="What the meter showed after a reset [Wh].")] = 0,
    since: From = "",
    key: Annotated[Path | None, typer.Option("--key", help="File with the device's or the owner's key.")] = None,
    signature: Signature = "",
    statement: Statement = False,
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """A register passed its last digit, or fell back: another continues it."""
    from penstock.errors import Invalid
    from penstock.journal.words import EpochCause
    from penstock.usecases.device_desk import Pen, act_on, planned_epochs, statement_of

    if cause not in (EpochCause.ROLLED_OVER, EpochCause.RESET):
        raise Invalid("epoch.cause", f"{cause} is no cause of a new epoch here.", hint="Say rolled_over or reset.")
    asked = {"cause": EpochCause(cause), "from_us": _since_us(since) if since else None}
    starts_wh = [0] * channel + [start_wh]
    planned = [one for one in planned_epochs(workspace, device, starts_wh, **asked) if one.channel == channel]
    if not planned:
        raise Invalid("epoch.channel", f"{device} has no channel {channel}.", device=device)
    if statement:
        typer.echo(statement_of(workspace, planned[0]).hex())
        return
    _show(act_on(workspace, planned[0], _now_us(), {"signature": Pen(key, hex_bytes(signature))}), as_json)


def retire(
    device: Device,
    since: From = "",
    reason: Reason = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """The device counts no more from an instant on."""
    from penstock.journal.kinds.device import DeviceRetired
    from penstock.usecases.device_desk import act_on

    _show(act_on(workspace, DeviceRetired(device, _since_us(since), reason), _now_us()), as_json)


def lock(
    device: Device,
    programme: Annotated[str, typer.Argument(help="The programme it takes part in, and in no other then.")],
    until: Annotated[str, typer.Option(help="Up to when (ISO 8601 with an offset).")],
    since: From = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """The device takes part in one programme alone, for a time."""
    from penstock.journal.kinds.device import DeviceLocked
    from penstock.usecases.device_desk import act_on

    fact = DeviceLocked(device, programme, _since_us(since), _since_us(until))
    _show(act_on(workspace, fact, _now_us()), as_json)


def place(
    register: Annotated[str, typer.Argument(help="The register, such as roof/export.")],
    direction: Annotated[str, typer.Option(help="export, import, charge or discharge.")] = "export",
    role: Annotated[str, typer.Option(help="issues or checks.")] = "issues",
    under: Annotated[str, typer.Option("--under", help="The register that counts it too; none begins a tree.")] = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """A register's place in its site's measuring-point tree."""
    from penstock.errors import Invalid
    from penstock.journal.kinds.device import PointPlaced
    from penstock.journal.words import Direction, PointRole
    from penstock.usecases.device_desk import act_on

    if direction not in tuple(Direction) or role not in tuple(PointRole):
        raise Invalid("point.words", "A register counts export, import, charge or discharge, and issues or checks.")
    fact = PointPlaced(register, Direction(direction), PointRole(role), under or None)
    _show(act_on(workspace, fact, _now_us()), as_json)


def _now_us() -> int:
    return time.time_ns() // 1_000


def _since_us(text: str) -> int:
    from penstock.period import parse_iso

    return parse_iso(text) if text else _now_us()


def hex_bytes(text: str) -> bytes:
    """Bytes written in hex; Invalid ``key.hex``."""
    from penstock.errors import Invalid

    try:
        return bytes.fromhex(text)
    except ValueError:
        raise Invalid("key.hex", "Keys and signatures are written in hex.") from None


def _show(done: dict[str, Any], as_json: bool) -> None:
    emit(done, as_json, lambda: table(str(done["act"]), ("field", "value"), list(done.items())))

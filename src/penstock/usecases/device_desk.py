"""Acts on devices as the doors ask for them: signed with key files or signatures brought along, recorded once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np

from penstock.errors import Invalid, NotFound
from penstock.journal.fact import Entry
from penstock.journal.kinds.device import (
    DeviceLocked,
    DeviceRetired,
    DeviceTransferred,
    EpochOpened,
    KeyReclaimed,
    KeyRevoked,
    KeyRotated,
    MeterReplaced,
    PointPlaced,
)
from penstock.journal.kinds.energy import SiteRegistered
from penstock.journal.words import ASSURANCES, Right
from penstock.keys import KEY_KINDS, WRITTEN_MAX, KeyKind, PointKey, SigningKey, read_key
from penstock.period import iso
from penstock.units import INT64_MAX
from penstock.usecases.enrol import COARSE_DIGITS, ISSUES, register_site
from penstock.usecases.enrol_fleet import enrol_fleet, fleet_of_csv
from penstock.usecases.inspect import device_row
from penstock.usecases.place import place, site_tree
from penstock.usecases.replace import open_epoch, plan_epoch
from penstock.usecases.replace import replace as replace_meter
from penstock.usecases.rotate import reclaim, revoke, rotate, to_sign
from penstock.usecases.transfer import lock, retire, transfer
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

Fact = TypeVar("Fact", KeyRotated, KeyReclaimed, DeviceTransferred, MeterReplaced, EpochOpened)
Row = dict[str, Any]
_ACTS: Final[dict[type, Callable[[World, Any], list[Entry]]]] = {
    KeyRotated: rotate,
    KeyRevoked: revoke,
    KeyReclaimed: reclaim,
    DeviceTransferred: transfer,
    EpochOpened: open_epoch,
    PointPlaced: place,
    DeviceLocked: lock,
    DeviceRetired: retire,
}


@dataclass(frozen=True, slots=True)
class Pen:
    """Whoever signs: a file with a private key, or a signature that was made elsewhere."""

    file: Path | None = None
    signature: bytes = b""

    def sign(self, message: bytes) -> bytes:
        """The signature over ``message``; empty where nobody signs. Raises as `key_in`."""
        return key_in(self.file).sign(message) if self.file else self.signature


def key_in(file: Path) -> SigningKey | PointKey:
    """The private key that a file holds; raises as `keys.read_key`, also for a file that cannot be read."""
    try:
        with file.open("rb") as opened:
            written = opened.read(WRITTEN_MAX + 1)
    except OSError:
        written = b""
    return read_key(written, file.name)


def owners_pen(file: Path | None, signature: bytes = b"") -> Pen:
    """An owner's pen: its file holds an Ed25519 key. Raises Invalid ``key.kind`` for another, and as `key_in`."""
    if file and key_in(file).kind is not KeyKind.ED25519:
        raise Invalid("key.kind", "An owner's key is an Ed25519 key.", file=file.name)
    return Pen(file, signature)


def enrol_file(
    workspace: Path,
    file: Path,
    site: SiteRegistered,
    channels: tuple[str, ...],
    at_us: int,
    digits: int = COARSE_DIGITS,
    start_counts_wh: tuple[int, ...] = (),
    *,
    consumption: bool = False,
) -> Row:
    """Enrol the devices that a CSV file lists on ``site``, which is registered first where it is not known.

    ``start_counts_wh`` is what each channel showed at commissioning, of devices whose line does not say it. With
    ``consumption`` the first channel issues certificates of what was drawn, not of what was generated.

    Raises:
        As `fleet_of_csv`, `register_site` and `enrol_fleet`; Invalid ``fleet.text`` unless the file is UTF-8.
    """
    raw = file.read_bytes()
    try:
        fleet = fleet_of_csv(raw.decode("utf-8-sig"), digits)
    except UnicodeDecodeError:
        raise Invalid("fleet.text", f"{file.name} is not UTF-8 text.") from None
    if start_counts_wh:
        starts = fleet.start_counts_wh or [()] * len(fleet.names)
        fleet = replace(fleet, start_counts_wh=[own or start_counts_wh for own in starts])
    name, told = site.site, " ".join((*channels, *map(str, start_counts_wh)))
    asked = b"\0".join([name.encode(), told.encode(), raw, *([b"consumption"] if consumption else [])])
    issues = (Right.CONSUMPTION,) if consumption else ISSUES

    def decide(world: World) -> list[Entry]:
        opened = [] if name in world.books.sites else register_site(world, site, digits)
        return [*opened, *enrol_fleet(world, name, fleet, channels, issues, new_site=bool(opened))]

    with Workspace(workspace) as opened:
        receipt = opened.submit(_key("enrol", asked), asked, at_us, decide)
    return {"site": name, "devices": len(fleet.names), "repeated": receipt.repeated}


def statement_of(workspace: Path, fact: Any) -> bytes:
    """The bytes to be signed for ``fact`` in this workspace; nothing is recorded."""
    with Workspace(workspace, read_only=True) as opened:
        return opened.read(lambda world: to_sign(world, fact))


def act_on(workspace: Path, fact: Any, at_us: int, signs: dict[str, Pen] | None = None) -> Row:
    """Sign ``fact`` where ``signs`` says by whom each of its signatures is, and record it.

    Raises:
        As the use case of the fact.
    """
    with Workspace(workspace) as opened:
        said = opened.read(lambda world: to_sign(world, fact))
        fact = replace(fact, **{name: pen.sign(said) for name, pen in (signs or {}).items()})
        receipt = opened.submit(_key(fact.KIND, said), said, at_us, lambda world: _ACTS[type(fact)](world, fact))
    return {"act": fact.KIND, "first_seq": receipt.first_seq, "facts": receipt.facts, "repeated": receipt.repeated}


def planned_epochs(workspace: Path, device: str, starts_wh: Sequence[int] = (), **asked: Any) -> list[EpochOpened]:
    """The epochs that would follow, one for each channel of ``device``.

    ``starts_wh`` is what the counter of each channel shows then, 0 where nothing is said.

    Raises:
        As `plan_epoch`; Invalid ``epoch.channel`` for a start of a channel that the device has not.
    """

    def plan(world: World) -> list[EpochOpened]:
        number = world.energy.number(device)
        channels = len(world.energy.registers_of(number)) if number >= 0 else 1
        if number >= 0 and len(starts_wh) > channels:
            raise Invalid("epoch.channel", f"{device} has {channels} channels.", device=device)
        starts = [*starts_wh, *[0] * (channels - len(starts_wh))]
        return [
            plan_epoch(world, device, channel=channel, start_count_wh=start_wh, **asked)
            for channel, start_wh in enumerate(starts)
        ]

    with Workspace(workspace, read_only=True) as opened:
        return opened.read(plan)


def replace_with(
    workspace: Path, meter: MeterReplaced, epochs: Sequence[EpochOpened], new: Pen, owner: Pen, at_us: int
) -> Row:
    """Another meter: its key proves itself and signs every epoch; raises as `replace.replace`."""
    with Workspace(workspace) as opened:
        said = opened.read(lambda world: to_sign(world, meter))
        meter = replace(meter, owner_signature=owner.sign(said), proof=new.sign(said))
        signed = [
            replace(epoch, signature=new.sign(opened.read(lambda world, one=epoch: to_sign(world, one))))  # type: ignore[misc]
            for epoch in epochs
        ]
        key = _key(meter.KIND, said)
        receipt = opened.submit(key, said, at_us, lambda world: replace_meter(world, meter, signed))
    return {"act": meter.KIND, "first_seq": receipt.first_seq, "facts": receipt.facts, "repeated": receipt.repeated}


def shown(workspace: Path, device: str) -> Row:
    """One device with its keys, its owner, its registers and its locks. Raises NotFound ``device.unknown``."""
    with Workspace(workspace, read_only=True) as opened:
        return opened.read(lambda world: _shown(world, device))


def _shown(world: World, device: str) -> Row:
    energy, number = world.energy, world.energy.number(device)
    if number < 0:
        hint = "See: penstock device list"
        raise NotFound("device.unknown", f"There is no device {device}.", hint=hint, device=device)
    at = np.array([number]), energy.site[[number]], np.array([INT64_MAX])
    retired_us, former = int(energy.retired_us[number]), energy.former_keys(number)
    return device_row(world, number) | {
        "key_kind": KEY_KINDS[energy.key_kind[number]].value,
        "key_revoked": bool(energy.key_book.view("revoked")[number]),
        "former_keys": [{"public_key": span.key.hex(), "until": iso(span.until_us)} for span in former],
        "assurance": ASSURANCES[energy.assurance[number]].value,
        "owner": energy.ownership.owners.name(int(energy.ownership.owner_at(*at)[0])),
        "cell": energy.cells[energy.cell[number]],
        "commissioned": iso(int(energy.commissioned_us[number])),
        "retired": iso(retired_us) if retired_us else "",
        "registers": [world.books.registers.urn(one) for one in energy.registers_of(number).tolist()],
        "start_counts_wh": energy.epoch_start_wh[energy.registers_of(number)].tolist(),
        "personal": world.books.sites[energy.sites[energy.site[number]]].personal,
        "programmes": [
            {"programme": held.programme, "from": iso(held.start_us), "until": iso(held.stop_us)}
            for held in energy.ownership.locks(number)
        ],
    }


def tree(workspace: Path, site: str) -> list[Row]:
    """A site's measuring-point tree; raises as `site_tree`."""
    with Workspace(workspace, read_only=True) as opened:
        return opened.read(lambda world: site_tree(world, site))


def _key(act: str, asked: bytes) -> str:
    return f"{act}:{hashlib.sha256(asked).hexdigest()[:40]}"

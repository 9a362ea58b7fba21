"""Replace, roll over, reset: a register ends and another continues it, and both say where they stood."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from penstock.energy.epoch import check_epoch, rolled_over_start_wh
from penstock.energy.key_book import ALWAYS, KeySpan
from penstock.energy.life import check_replacement
from penstock.errors import NotFound, Refused
from penstock.journal.fact import Entry
from penstock.journal.kinds.device import EpochOpened, MeterReplaced
from penstock.journal.kinds.ledger import RegisterOpened
from penstock.journal.register import RIGHTS
from penstock.journal.words import EpochCause
from penstock.usecases.world import World


def plan_epoch(
    world: World,
    device: str,
    cause: EpochCause,
    from_us: int | None = None,
    start_count_wh: int = 0,
    channel: int = 0,
    rolls_over_wh: int | None = None,
) -> EpochOpened:
    """The epoch that would follow a device's present one, still to be signed.

    Args:
        from_us: when it begins; the register's last reading where not told. A roll-over always begins there.
        start_count_wh: what the device's own counter showed then; of a roll-over it follows from the declared width.
        rolls_over_wh: the new width, where it is another one.

    Raises:
        NotFound: ``device.unknown``, ``register.unknown``. Refused: ``epoch.start``.
    """
    energy, registers = world.energy, world.books.registers
    number = energy.number(device)
    if number < 0:
        raise NotFound(
            "device.unknown", f"There is no device {device}.", hint="See: penstock device list", device=device
        )
    before = int(energy.register_of(np.array([number]), np.array([channel]))[0])
    if before < 0:
        raise NotFound("register.unknown", f"{device} has no channel {channel}.", device=device)
    last_us, urn = int(energy.last_at_us[before]), registers.urn(before)
    if cause is EpochCause.ROLLED_OVER:
        from_us, start_count_wh = last_us, rolled_over_start_wh(energy, before)
    return EpochOpened(
        device=device,
        channel=channel,
        register=next_urn(urn),
        predecessor=urn,
        cause=cause,
        predecessor_position_wh=int(energy.last_wh[before]),
        start_count_wh=start_count_wh,
        from_us=last_us if from_us is None else from_us,
        rolls_over_wh=int(energy.rolls_over_wh[before]) if rolls_over_wh is None else rolls_over_wh,
        debt_wh=0,
        signature=b"",
    )


def next_urn(urn: str) -> str:
    """The name of the register that continues another: its epoch behind a number sign, the first one's unwritten."""
    name, _, epoch = urn.partition("#")
    return f"{name}#{int(epoch or 1) + 1}"


def open_epoch(world: World, fact: EpochOpened) -> list[Entry]:
    """Facts of a new epoch: its register, which closes the one before, and the seam.

    Raises:
        As `epoch.check_epoch` and `Registers.check_open`.
    """
    return _epoch_entries(world, fact, None)


def replace(world: World, meter: MeterReplaced, epochs: Sequence[EpochOpened]) -> list[Entry]:
    """Facts of a replaced meter: its key, then an epoch for each of the device's channels, signed by that key.

    Raises:
        As `life.check_replacement` and `open_epoch`; Refused ``epoch.channels`` unless every channel gets one epoch.
    """
    check_replacement(world.energy, meter)
    channels = len(world.energy.registers_of(world.energy.number(meter.device)))
    fits = sorted(epoch.channel for epoch in epochs) == list(range(channels))
    if not fits or any((epoch.device, epoch.from_us) != (meter.device, meter.from_us) for epoch in epochs):
        raise Refused("epoch.channels", "A new meter opens one epoch for each channel, all from the same instant.")
    key = KeySpan(meter.key_kind, meter.public_key, meter.from_us, ALWAYS)
    return [Entry(meter), *(entry for epoch in epochs for entry in _epoch_entries(world, epoch, key))]


def _epoch_entries(world: World, fact: EpochOpened, key: KeySpan | None) -> list[Entry]:
    check_epoch(world.energy, fact, key)
    opened = continued_by(world, fact)
    world.books.registers.check_open(opened)
    return [Entry(opened), Entry(fact)]


def continued_by(world: World, fact: EpochOpened) -> RegisterOpened:
    """The register that an epoch opens: as its predecessor, which it closes where that stands."""
    registers = world.books.registers
    before = registers.id_of(fact.predecessor)
    return RegisterOpened(
        register=fact.register,
        unit=registers.unit(before),
        register_kind=registers.kind(before),
        issues=tuple(right for right in RIGHTS if registers.issues(right)[before]),
        predecessor=fact.predecessor,
        predecessor_position=fact.predecessor_position_wh,
    )

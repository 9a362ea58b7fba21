"""Judging what devices send: each message in order of arrival, then its readings as columns; 0 counts.

A message is judged by its form, device, signature and key, and then by its place in the device's chain. One that its
device really signed, in its place, moves that device's head; any other moves nothing. Readings of accepted messages
are then judged as columns. What fails is kept, marked and never counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.energy.chain_order import judge_order
from penstock.energy.checks.bounds import NO_BOUNDS, Bounds
from penstock.energy.checks.clock import SKEW_US
from penstock.energy.checks.sky import Sky, sky_bounds
from penstock.energy.checks.table import Memory, check_readings
from penstock.energy.device import Devices
from penstock.energy.message import Batch
from penstock.energy.parsed import Messages, parse_messages
from penstock.energy.revisable import Revisable
from penstock.energy.signers import batch_of, claims_of, hold, signers_of
from penstock.energy.verdict import MessageVerdict
from penstock.journal.segment import Column
from penstock.units import INT64_MAX

Ints = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """Columns of a batch after judgement: ``packets`` as format packet/2, ``readings`` as reading/2."""

    packets: dict[str, Column]
    readings: dict[str, Column]


def prepare(messages: Messages, devices: Devices) -> Batch:
    """Parse messages and check their signatures, on their own: nothing is refused, and nothing needs an order."""
    parsed = parse_messages(messages)
    signers = signers_of(parsed.name, devices)
    claims = claims_of(parsed, signers)
    return batch_of(parsed, signers, claims, hold(claims.signatures))


def judge(
    batch: Batch,
    raws: Sequence[bytes],
    received_us: int,
    devices: Devices,
    sky: Sky | None = None,
    revisable: Revisable | None = None,
) -> Judged:
    """Judge a batch, in order of arrival, against what the devices sent before.

    ``devices`` is read, not changed: the facts made of the outcome change it. Without a ``sky`` nothing is held
    against one, without ``revisable`` readings nobody is asked whether it says otherwise now.
    """
    verdict = batch.reached.copy()
    verdict[(verdict == 0) & _key_was_dead(batch, devices)] = MessageVerdict.KEY_NOT_VALID
    judge_order(batch, verdict, devices)
    packets: dict[str, Column] = {
        "device": batch.device,
        "form": batch.form,
        "sequence": batch.sequence,
        "received_us": np.full(len(verdict), received_us, dtype=np.int64),
        "assurance": batch.assurance,
        "verdict": verdict,
        "findings": bits(verdict),
        "packet": blobs(raws),
    }
    return Judged(packets, _judge_readings(batch, verdict, received_us, devices, sky, revisable))


def bits(verdict: Ints) -> NDArray[np.uint32]:
    """The bit of each verdict, none for 0."""
    return np.where(verdict == 0, np.uint32(0), np.uint32(1) << verdict.astype(np.uint32)).astype(np.uint32)


def blobs(raws: Sequence[bytes]) -> Column:
    """Bytes as a column of objects."""
    column = np.empty(len(raws), dtype=object)
    column[:] = raws
    return column


def _key_was_dead(batch: Batch, devices: Devices) -> NDArray[np.bool_]:
    """Where a key signed only for a time it was no longer valid in, or a former key once its successor was heard.

    Such a message is refused whole: whoever has an old key moves nothing with it, not even the chain.
    """
    earliest = np.full(len(batch.device), INT64_MAX, dtype=np.int64)
    np.minimum.at(earliest, batch.message, batch.at_us)
    dead = earliest >= batch.until_us
    rows = np.flatnonzero(batch.former & ~dead)
    register = devices.register_of(batch.device[rows], np.zeros(len(rows), np.uint8))
    dead[rows] = devices.last_at_us[register] >= batch.until_us[rows]
    ends: NDArray[np.bool_] = batch.until_us != INT64_MAX
    return dead & ends


def _judge_readings(
    batch: Batch, verdict: Ints, received_us: int, devices: Devices, sky: Sky | None, revisable: Revisable | None
) -> dict[str, Column]:
    taken = np.flatnonzero((verdict == 0)[batch.message])
    message = batch.message[taken]
    device, at_us = batch.device[message], batch.at_us[taken]
    register = devices.register_of(device, batch.channel[taken])
    position_wh = batch.position_wh[taken]
    known = register >= 0
    position_wh[known] -= devices.epoch_start_wh[register[known]]
    found = check_readings(
        {
            "register": register,
            "device": device,
            "at_us": at_us,
            "position_wh": position_wh,
            "power_mw": batch.power_mw[taken],
            "clock": batch.clock[taken],
            "meter": batch.meter[taken],
            "message": message,
            "key_since_us": batch.since_us[message],
            "key_until_us": batch.until_us[message],
        }
        | ({} if revisable is None else {"seen_wh": revisable.positions(register, at_us)}),
        devices,
        received_us,
        NO_BOUNDS if sky is None else _bounds(device, at_us, received_us, devices, sky),
        devices.parent_of,
        Memory(devices.above_wh, devices.still, devices.still_wh),
    )
    return {
        "register": register,
        "at_us": at_us,
        "position_wh": position_wh,
        "packet": message,
        "assurance": batch.assurance[message],
        "verdict": found.verdict,
        "findings": found.findings,
        "above_wh": found.above_wh,
    }


def _bounds(device: Ints, at_us: Ints, received_us: int, devices: Devices, sky: Sky) -> Bounds:
    """The sky over the readings that can count: a time before the device's, or to come, would only stretch it."""
    can = (at_us <= received_us + SKEW_US) & (at_us >= devices.commissioned_us[device])
    return sky_bounds(devices, device[can], at_us[can], sky)

"""A device's chain of messages: each has the next number and names the hash of the one before; nothing may be missing.

Own messages are chained by number and hash; the pages of other forms have numbers alone, and may begin anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from penstock.energy.device import Devices
from penstock.energy.message import Batch
from penstock.energy.verdict import MessageVerdict
from penstock.journal.words import Form

Ints = NDArray[Any]


@dataclass(frozen=True, slots=True)
class _Links:
    """Messages of numbered forms, sorted by device, each beside the number and hash it has to follow."""

    row: Ints
    device: Ints
    first: NDArray[np.bool_]
    sequence: Ints
    before: Ints
    follows: NDArray[np.bool_]


def judge_order(batch: Batch, verdict: Ints, devices: Devices) -> None:
    """Give messages with verdict 0 that are out of place REPLAYED, GAP or FORKED instead, in place.

    One pass over columns finds the devices whose every message follows; only those of the others are walked one by
    one. A message out of place moves nothing: the next one is held against the last that was in place.
    """
    links = _links(batch, np.flatnonzero((verdict == 0) & (batch.sequence >= 0)), devices)
    in_place = (links.sequence - 1 == links.before) & links.follows
    walked = np.flatnonzero(np.isin(links.device, links.device[~in_place]))
    for rows in np.split(links.row[walked], np.flatnonzero(links.first[walked])[1:]):
        _walk(batch, verdict, rows, devices)


def _links(batch: Batch, rows: Ints, devices: Devices) -> _Links:
    row = rows[np.argsort(batch.device[rows], kind="stable")]
    device, sequence = batch.device[row], batch.sequence[row]
    first = np.r_[True, device[1:] != device[:-1]][: len(row)]
    before = np.r_[np.int64(0), sequence[:-1]][: len(row)]
    before[first] = devices.head_sequence[device[first]]
    hashes = np.concatenate([np.zeros((1, 32), np.uint8), batch.hash[row][:-1]])[: len(row)]
    hashes[first] = devices.head_hash[device[first]]
    follows = (batch.form[row] != Form.COSE) | (hashes == batch.previous[row]).all(axis=1)
    return _Links(row, device, first, sequence, before, follows)


def _walk(batch: Batch, verdict: Ints, rows: Ints, devices: Devices) -> None:
    """The messages of one device, one by one."""
    if not len(rows):
        return
    device = int(batch.device[rows[0]])
    number, hash_ = int(devices.head_sequence[device]), devices.head_hash[device].tobytes()
    for row in rows.tolist():
        chained = batch.form[row] == Form.COSE
        said = int(batch.sequence[row])
        verdict[row] = _verdict(said, number, not chained or batch.previous[row].tobytes() == hash_, chained=chained)
        if not verdict[row]:
            number, hash_ = said, batch.hash[row].tobytes()


def _verdict(said: int, head: int, follows: bool, *, chained: bool) -> MessageVerdict:
    if said <= head:
        return MessageVerdict.REPLAYED
    if said > head + 1 and (chained or head >= 0):
        return MessageVerdict.GAP
    return MessageVerdict.ACCEPTED if follows else MessageVerdict.FORKED

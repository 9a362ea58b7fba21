"""What a certificate id on chain stands for, worked out again from the titles that were lifted under it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from penstock.energy.certificate_id import Properties
from penstock.errors import NotFound
from penstock.journal.words import ASSURANCES, Right
from penstock.period import SECOND_US, iso
from penstock.usecases.registry.properties import properties
from penstock.usecases.world import World

Row = dict[str, Any]
_ID: Final = re.compile(r"[0-9a-f]{64}")


def lifted_id(world: World, text: str) -> Row:
    """What all units of an id share, as a row for the doors; ``text`` is its 64 lower-case hex digits.

    ``commissioned`` is a month, yyyy-mm, empty where it is not known or is not one device's.

    Raises:
        NotFound: ``id.unknown`` for what is no id, or was never lifted here.
    """
    found = _properties(world, bytes.fromhex(text)) if _ID.fullmatch(text) else None
    if found is None:
        hint = "An id is 64 lower-case hex digits, of what was lifted to the chain."
        raise NotFound("id.unknown", "No certificate of this id was lifted here.", hint=hint)
    start_us = found.interval_start_s * SECOND_US
    month = found.commissioned_month
    return {
        "certificate": text,
        "zone": _word(found.zone),
        "start": iso(start_us),
        "stop": iso(start_us + found.interval_s * SECOND_US),
        "technology": _word(found.technology),
        "assurance": ASSURANCES[found.assurance].value,
        "commissioned": f"{datetime(month // 100, month % 100, 1, tzinfo=UTC):%Y-%m}" if month else "",
        "carbon_mg_per_kwh": found.carbon_mg_per_kwh,
        "support": _word(found.support),
        "stored": found.stored,
    }


def _properties(world: World, certificate: bytes) -> Properties | None:
    """The preimage of an id: what the first title of one of its batches is; whatever hashes to it is it."""
    for lift in world.books.vault.lifts.values():
        if lift.fact.certificate != certificate:
            continue
        span = {name: column[:1].astype(np.int64) for name, column in lift.spans.items()}
        (found, *_), _ = properties(world, world.books.titles[Right.ATTRIBUTE].parts(**span))
        if found.certificate() == certificate:
            return found
    return None


def _word(word: bytes) -> str:
    return word.rstrip(b"\x00").decode()

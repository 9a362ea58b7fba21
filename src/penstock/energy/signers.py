"""Who may have signed a message, and whether they did: parsed messages beside what is enrolled become a `Batch`.

Looking up needs the devices and takes moments; verifying takes most of an intake's time and needs no devices, so
the two are apart: look up while the devices stand still, verify while they go on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from penstock.energy.device import Devices
from penstock.energy.forms.table import FORMS
from penstock.energy.key_book import KeySpan
from penstock.energy.message import Batch
from penstock.energy.parsed import ANY_KIND, Parsed
from penstock.energy.verdict import MessageVerdict
from penstock.journal.words import ASSURANCES, Assurance, Form
from penstock.keys import KEY_KINDS, KeyKind, Scheme, verify_by, verify_many

Ints = NDArray[Any]
_WEAKEST: Final = len(ASSURANCES) - 1
_LEVEL: Final = np.array(
    [ASSURANCES.index(FORMS[form].assurance) if form in FORMS else _WEAKEST for form in Form], dtype=np.uint8
)
"""The most that a form gives; what a device was enrolled with may be weaker."""
_SIGNED: Final = ASSURANCES.index(Assurance.GATEWAY_SIGNED)
_WEAK: Final = np.array([kind in (KeyKind.SECP192R1, KeyKind.SECP192K1) for kind in KEY_KINDS])
_CURVES: Final = [kind not in (KeyKind.ED25519, KeyKind.ETH_ADDRESS) for kind in KEY_KINDS]
_FITS: Final = np.array(
    [
        {
            Scheme.NONE: [True] * len(KEY_KINDS),
            Scheme.EDDSA: [kind is KeyKind.ED25519 for kind in KEY_KINDS],
            Scheme.ECDSA_SHA256_RAW: _CURVES,
            Scheme.ECDSA_SHA256_DER: _CURVES,
            Scheme.ETH_KECCAK_RSV: [kind is KeyKind.ETH_ADDRESS for kind in KEY_KINDS],
        }[scheme]
        for scheme in Scheme
    ]
)
"""Whether a scheme can be a key kind's: ``_FITS[scheme, kind]``."""


@dataclass(frozen=True, slots=True, eq=False)
class Signers:
    """What is enrolled of the device that each message names; ``former`` by row, of devices that had other keys."""

    device: NDArray[np.int32]
    kind: NDArray[np.uint8]
    assurance: NDArray[np.uint8]
    since_us: NDArray[np.int64]
    until_us: NDArray[np.int64]
    key: list[bytes]
    former: dict[int, tuple[KeySpan, ...]]

    def are(self, others: Signers) -> bool:
        """Whether the same is enrolled: then signatures checked against one hold against the other."""
        same = all(
            np.array_equal(getattr(self, name), getattr(others, name))
            for name in ("device", "kind", "assurance", "since_us", "until_us")
        )
        return same and self.key == others.key and self.former == others.former


class Signatures(NamedTuple):
    """Signatures to verify, as `verify_many` takes them."""

    kind: NDArray[np.uint8]
    key: list[bytes]
    scheme: NDArray[np.uint8]
    signed: list[bytes]
    signature: list[bytes]


@dataclass(frozen=True, slots=True, eq=False)
class Claims:
    """How far messages came without their signatures, and the signatures of those (``rows``) that came so far."""

    reached: NDArray[np.uint8]
    rows: NDArray[np.int64]
    signatures: Signatures


def signers_of(names: list[str], devices: Devices) -> Signers:
    """Look up the device that each message names, -1 where there is none."""
    device = devices.numbers(names)
    known = np.flatnonzero(device >= 0)
    number = device[known]
    key = [b""] * len(device)
    for row, one in zip(known.tolist(), devices.keys(number), strict=True):
        key[row] = one
    return Signers(
        device=device,
        kind=_placed(devices.key_kind, known, number, len(device)),
        assurance=_placed(devices.assurance, known, number, len(device)),
        since_us=_placed(devices.key_since_us, known, number, len(device)),
        until_us=_placed(devices.key_until_us, known, number, len(device)),
        key=key,
        former=devices.key_book.former_of(device),
    )


def _placed(column: Ints, rows: Ints, numbers: Ints, length: int) -> Ints:
    placed = np.zeros(length, dtype=column.dtype)
    placed[rows] = column[numbers]
    return placed


def claims_of(parsed: Parsed, signers: Signers) -> Claims:
    """What has to be verified: every message that may still count, with its device's current key."""
    reached = _reached_before_signature(parsed, signers)
    rows = np.flatnonzero((reached == 0) & (parsed.scheme != Scheme.NONE))
    listed = rows.tolist()
    keys, signed, signatures = ([of[row] for row in listed] for of in (signers.key, parsed.signed, parsed.signature))
    return Claims(reached, rows, Signatures(signers.kind[rows], keys, parsed.scheme[rows], signed, signatures))


def hold(signatures: Signatures) -> NDArray[np.bool_]:
    """Whether each signature is its key's; on all cores."""
    return verify_many(*signatures)


def hold_one_by_one(signatures: Signatures) -> NDArray[np.bool_]:
    """As `hold`, on one core: for processes of which each has a core."""
    kinds, keys, schemes, signed, signature = signatures
    rows = zip(kinds.tolist(), keys, schemes.tolist(), signed, signature, strict=True)
    return np.array(
        [verify_by(KEY_KINDS[kind], key, Scheme(scheme), *said) for kind, key, scheme, *said in rows], np.bool_
    )


def batch_of(parsed: Parsed, signers: Signers, claims: Claims, good: NDArray[np.bool_]) -> Batch:
    """The batch, once it is known which claims are ``good``.

    A message that the current key did not sign is tried with the device's former keys, newest first: late data stays
    good when a key changes, for readings within that key's time and messages up to the last one it signed.
    """
    reached, since_us, until_us = claims.reached.copy(), signers.since_us.copy(), signers.until_us.copy()
    former = np.zeros(len(reached), dtype=np.bool_)
    bad = claims.rows[~good]
    reached[bad] = MessageVerdict.BAD_SIGNATURE
    for row in bad.tolist():
        span = _signed_by(parsed, row, signers.former.get(row, ()))
        if span is not None:
            late = int(parsed.sequence[row]) > span.last_sequence
            reached[row], former[row] = MessageVerdict.KEY_NOT_VALID if late else 0, True
            since_us[row], until_us[row] = span.since_us, span.until_us
    return Batch(
        form=parsed.form,
        device=signers.device,
        reached=reached,
        assurance=_level(parsed, signers),
        since_us=since_us,
        until_us=until_us,
        former=former,
        sequence=parsed.sequence,
        previous=parsed.previous,
        hash=parsed.hash,
        message=np.repeat(np.arange(len(reached), dtype=np.int32), parsed.readings),
        channel=parsed.channel,
        at_us=parsed.at_us,
        position_wh=parsed.position_wh,
        power_mw=parsed.power_mw,
        clock=parsed.clock,
        meter=parsed.meter,
    )


def _level(parsed: Parsed, signers: Signers) -> NDArray[np.uint8]:
    """The weakest of what form, message and enrolment give; a weak curve counts one level lower."""
    gives = np.maximum(_LEVEL[parsed.form], parsed.assurance) + (_WEAK[signers.kind] & (signers.device >= 0))
    level: NDArray[np.uint8] = np.minimum(np.maximum(gives, signers.assurance), _WEAKEST).astype(np.uint8)
    return level


def _reached_before_signature(parsed: Parsed, signers: Signers) -> NDArray[np.uint8]:
    """The first of these that holds; 0 where the signature decides."""
    unsigned_for_signer = (parsed.scheme == Scheme.NONE) & (signers.assurance <= _SIGNED)
    rotated = np.isin(np.arange(len(signers.device)), list(signers.former))
    reasons = (
        (parsed.reached != 0, parsed.reached),
        (signers.device < 0, MessageVerdict.UNKNOWN_DEVICE),
        (unsigned_for_signer, MessageVerdict.NOT_TAKEN),
        (~_FITS[parsed.scheme, signers.kind] & ~rotated, MessageVerdict.WRONG_KEY),
        ((parsed.key_kind != ANY_KIND) & (parsed.key_kind != signers.kind) & ~rotated, MessageVerdict.WRONG_KEY),
        (_other_key_came(parsed, signers), MessageVerdict.WRONG_KEY),
    )
    found: NDArray[np.uint8] = np.select([when for when, _ in reasons], [what for _, what in reasons], 0)
    return found.astype(np.uint8)


def _other_key_came(parsed: Parsed, signers: Signers) -> NDArray[np.bool_]:
    """Where a key came with the message that is none the device has or had."""
    other = np.zeros(len(parsed.name), dtype=np.bool_)
    for row, came in enumerate(parsed.public_key):
        if came and came != signers.key[row]:
            other[row] = came not in {span.key for span in signers.former.get(row, ())}
    return other


def _signed_by(parsed: Parsed, row: int, spans: tuple[KeySpan, ...]) -> KeySpan | None:
    """The newest of the keys that signed a message."""
    for span in reversed(spans):
        kind = np.array([KEY_KINDS.index(span.kind)], dtype=np.uint8)
        one = Signatures(kind, [span.key], parsed.scheme[[row]], [parsed.signed[row]], [parsed.signature[row]])
        if _FITS[parsed.scheme[row], kind[0]] and hold_one_by_one(one)[0]:
            return span
    return None

"""A change of the attester set as one attester signed it: a file that is handed to whoever collects signatures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from coincurve import PublicKey
from eth_utils.crypto import keccak
from pydantic_core import from_json

from penstock.chain.typed_data import (
    SetChange,
    Signature,
    anchor_domain,
    message_digest,
    set_change_message,
    sign_typed,
)
from penstock.errors import Conflict, Invalid, Refused
from penstock.keys import ChainKey
from penstock.usecases.seats import Seats, address_of, text_of

FORMAT: Final = "penstock/set-change/1"
BYTES_MAX: Final = 4_096
_HALF_ORDER: Final = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0
_CHANGE: Final = {"added", "removed", "quorum", "operator", "nonce"}
_FIELDS: Final = {"format", "chain_id", "anchor", "change", "signer", "signature"}


@dataclass(frozen=True, slots=True)
class SignedChange:
    """One attester's consent (EIP-712 ``SetChange``) for one anchor on one chain; ``signer`` is recovered from it."""

    chain_id: int
    anchor: bytes
    change: SetChange
    signer: bytes
    signature: Signature

    def to_json(self) -> dict[str, Any]:
        """The document; addresses and words in lower-case hex."""
        v, r, s = self.signature
        return {
            "format": FORMAT,
            "chain_id": self.chain_id,
            "anchor": text_of(self.anchor),
            "change": change_row(self.change),
            "signer": text_of(self.signer),
            "signature": {"v": v, "r": "0x" + r.hex(), "s": "0x" + s.hex()},
        }


def change_row(change: SetChange) -> dict[str, Any]:
    """A change's fields by name, in the contract's order."""
    return dict(zip(("added", "removed", "quorum", "operator", "nonce"), change.as_tuple(), strict=True))


def sign_change(key: ChainKey, seats: Seats, change: SetChange) -> SignedChange:
    """An attester's consent to a change that was checked.

    Raises:
        Refused: ``reseat.not_attester`` where the key has no seat.
    """
    _check_sits(seats, key.address)
    message = set_change_message(anchor_domain(seats.chain_id, text_of(seats.anchor)), change)
    return SignedChange(seats.chain_id, seats.anchor, change, key.address, sign_typed(key.secret, message))


def read_signed(raw: bytes) -> SignedChange:
    """A document that somebody handed over; the signature is recovered and is that of the signer it names.

    Raises:
        Invalid: ``reseat.malformed`` for anything but such a document, ``reseat.signature``.
    """
    try:
        found = _parsed(raw)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        hint = "Take the file as `penstock attest change sign` wrote it."
        raise Invalid("reseat.malformed", "This is no signed change of the attester set.", hint=hint) from None
    if _recovered(found) != found.signer:
        sentence = f"The signature is not {text_of(found.signer)}'s for this change."
        raise Invalid("reseat.signature", sentence, hint="Ask for it again.")
    return found


def agreed(signed: Sequence[SignedChange], seats: Seats) -> SetChange:
    """The one change that enough attesters of this anchor signed.

    Raises:
        Conflict: ``reseat.other_anchor``, ``reseat.other_change``, ``reseat.signed_twice``.
        Refused: ``reseat.too_few``, ``reseat.not_attester``.
    """
    if any((one.chain_id, one.anchor) != (seats.chain_id, seats.anchor) for one in signed):
        raise Conflict("reseat.other_anchor", "A signature is for another chain or another anchor.")
    if len({one.change for one in signed}) > 1:
        hint = "All attesters sign the same: added, removed, quorum, operator and number."
        raise Conflict("reseat.other_change", "The signatures are for different changes.", hint=hint)
    for one in signed:
        _check_sits(seats, one.signer)
        if [each.signer for each in signed].count(one.signer) > 1:
            raise Conflict("reseat.signed_twice", f"{text_of(one.signer)} signed twice; it counts once.")
    if len(signed) < seats.quorum or not signed:
        hint = "Collect the others' signatures."
        raise Refused("reseat.too_few", f"{len(signed)} of {seats.quorum} signatures are here.", hint=hint)
    return signed[0].change


def _check_sits(seats: Seats, account: bytes) -> None:
    if account not in seats.attesters:
        hint = "See `penstock attest change show` for who sits; whoever was expelled signs nothing any more."
        raise Refused("reseat.not_attester", f"{text_of(account)} is no attester.", hint=hint)


def _parsed(raw: bytes) -> SignedChange:
    if len(raw) > BYTES_MAX:
        raise ValueError
    said = from_json(raw)
    change, signature = said["change"], said["signature"]
    if said["format"] != FORMAT or (said.keys(), change.keys(), signature.keys()) != (_FIELDS, _CHANGE, set("vrs")):
        raise ValueError
    parties = (text_of(_hex(change[name], 20)) for name in ("added", "removed", "operator"))
    asked = SetChange(_count(change["quorum"]), _count(change["nonce"]), *parties)
    words = (_count(signature["v"]), _hex(signature["r"], 32), _hex(signature["s"], 32))
    return SignedChange(_count(said["chain_id"]), _hex(said["anchor"], 20), asked, _hex(said["signer"], 20), words)


def _count(value: object) -> int:
    if type(value) is not int or not 0 <= value < 2**64:
        raise ValueError
    return value


def _hex(value: str, size: int) -> bytes:
    raw = bytes.fromhex(value.removeprefix("0x"))
    if len(raw) != size or text_of(raw) != value.lower():
        raise ValueError
    return raw


def _recovered(one: SignedChange) -> bytes:
    """Whose signature it is, empty where nobody's: only low s (EIP-2) and v of 27 or 28 count."""
    v, r, s = one.signature
    if v not in (27, 28) or int.from_bytes(s, "big") > _HALF_ORDER:
        return b""
    digest = message_digest(set_change_message(anchor_domain(one.chain_id, text_of(one.anchor)), one.change))
    try:
        public = PublicKey.from_signature_and_message(r + s + bytes([v - 27]), digest, hasher=None)
    except Exception:  # the curve's library raises whatever it likes for words that are no signature
        return b""
    return keccak(public.format(compressed=False)[1:])[-20:]


def written(one: SignedChange) -> str:
    """The document as a file's text."""
    return json.dumps(one.to_json(), indent=1) + "\n"


def asked_change(seats: Seats, added: bytes, removed: bytes, quorum: int, operator: bytes) -> SetChange:
    """A change for the next turn; zero addresses change nothing, a quorum of 0 leaves it as it is."""
    parties = (text_of(address_of(one)) for one in (added, removed, operator))
    return SetChange(quorum or seats.quorum, seats.nonce, *parties)

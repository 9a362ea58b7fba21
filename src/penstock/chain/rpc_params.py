"""JSON-RPC parameters into values, strictly: what is not of the expected form is refused with -32602."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from penstock.errors import Invalid

_QUANTITY: Final = re.compile(r"0x[0-9a-fA-F]{1,64}")
TAGS: Final = ("latest", "pending", "safe", "finalized", "earliest")


def bad(sentence: str) -> Invalid:
    """The error for a parameter of the wrong form."""
    return Invalid("rpc.params", sentence)


def quantity(value: object) -> int:
    """A 0x-prefixed integer.

    Raises:
        Invalid: ``rpc.params``, as all of this file.
    """
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
        raise bad(f"invalid argument: {_shown(value)} is not a 0x-prefixed quantity")
    return int(value, 0)


def data(value: object, length: int | None = None) -> bytes:
    """0x-prefixed bytes, of ``length`` where given."""
    if not isinstance(value, str) or not value.startswith("0x"):
        raise bad(f"invalid argument: {_shown(value)} is not 0x-prefixed data")
    try:
        raw = bytes.fromhex(value[2:])
    except ValueError:
        raise bad(f"invalid argument: {_shown(value)} is not 0x-prefixed data") from None
    if 2 * len(raw) + 2 != len(value):
        raise bad(f"invalid argument: {_shown(value)} is not 0x-prefixed data")
    if length is not None and len(raw) != length:
        raise bad(f"invalid argument: {_shown(value)} has {len(raw)} bytes, want {length}")
    return raw


def address(value: object) -> bytes:
    """A 20-byte address; the case of its letters is not judged."""
    return data(value, 20)


def word(value: object) -> bytes:
    """A 32-byte hash or topic."""
    return data(value, 32)


def slot(value: object) -> int:
    """A storage slot: a quantity, or up to 32 bytes with leading zeros."""
    return quantity(value)


def flag(value: object) -> bool:
    """A JSON boolean."""
    if not isinstance(value, bool):
        raise bad(f"invalid argument: {_shown(value)} is not a boolean")
    return value


def block(value: object) -> int | str | bytes:
    """A block by tag, number, or hash (EIP-1898); ``latest`` where nothing is said."""
    if value is None:
        return "latest"
    if isinstance(value, dict):
        return word(value["blockHash"]) if "blockHash" in value else quantity(value.get("blockNumber"))
    if isinstance(value, str) and value in TAGS:
        return value
    return quantity(value)


@dataclass(frozen=True, slots=True)
class CallParams:
    """The fields of ``eth_call`` and ``eth_estimateGas``; None where not said."""

    sender: bytes
    to: bytes
    value: int
    data: bytes
    gas: int | None
    nonce: int | None
    price: int
    access_list: tuple[tuple[bytes, tuple[int, ...]], ...]


def call(value: object) -> CallParams:
    """A call object; ``input`` and ``data`` are one field, and must agree where both are given."""
    if not isinstance(value, dict):
        raise bad("invalid argument: the call is not an object")
    texts = {value[name] for name in ("data", "input") if isinstance(value.get(name), str)}
    if len(texts) > 1:
        raise bad("both 'data' and 'input' are set and not equal")
    price = _optional(value, "gasPrice") or _optional(value, "maxFeePerGas") or 0
    return CallParams(
        sender=address(value["from"]) if value.get("from") else bytes(20),
        to=address(value["to"]) if value.get("to") else b"",
        value=_optional(value, "value") or 0,
        data=data(texts.pop()) if texts else b"",
        gas=_optional(value, "gas"),
        nonce=_optional(value, "nonce"),
        price=price,
        access_list=_accesses(value.get("accessList")),
    )


@dataclass(frozen=True, slots=True)
class LogParams:
    """A log filter. ``block_hash`` excludes the range."""

    first: int | str | bytes
    last: int | str | bytes
    block_hash: bytes | None
    addresses: tuple[bytes, ...]
    topics: tuple[tuple[bytes, ...], ...]


def logs(value: object) -> LogParams:
    """A filter object: one or many addresses; per topic place null, one, or any of a list."""
    if not isinstance(value, dict):
        raise bad("invalid argument: the filter is not an object")
    if "blockHash" in value and ("fromBlock" in value or "toBlock" in value):
        raise bad("cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other")
    places = value.get("topics") or []
    if not isinstance(places, list) or len(places) > 4:
        raise bad("invalid argument: up to 4 topics")
    return LogParams(
        block(value.get("fromBlock")),
        block(value.get("toBlock")),
        word(value["blockHash"]) if "blockHash" in value else None,
        _choice(value.get("address"), 20),
        tuple(_choice(place, 32) for place in places),
    )


def _choice(value: object, length: int) -> tuple[bytes, ...]:
    if value is None:
        return ()
    items = value if isinstance(value, list) else [value]
    if any(item is None for item in items):
        return ()
    if len(items) > 1_000:
        raise bad("invalid argument: more than 1000 choices")
    return tuple(data(item, length) for item in items)


def _accesses(value: object) -> tuple[tuple[bytes, tuple[int, ...]], ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise bad("invalid argument: the access list is not a list of objects")
    keys = [item.get("storageKeys") or [] for item in value]
    return tuple(
        (address(item.get("address")), tuple(int.from_bytes(word(key), "big") for key in some))
        for item, some in zip(value, keys, strict=True)
    )


def _optional(value: Mapping[str, Any], name: str) -> int | None:
    return None if value.get(name) is None else quantity(value[name])


def _shown(value: object) -> str:
    return repr(value)[:80]

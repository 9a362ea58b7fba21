"""Shipped contracts: their ABI and bytecode, calls encoded, answers and events decoded. No compiler is needed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from eth_abi.abi import decode as abi_decode
from eth_abi.abi import encode as abi_encode
from eth_utils.crypto import keccak

from penstock.errors import NotFound


@dataclass(frozen=True, slots=True)
class Function:
    """One function of a contract: its selector and ABI types."""

    selector: bytes
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Event:
    """One event: argument names and types, indexed ones first as they lie in topics."""

    name: str
    indexed: tuple[tuple[str, str], ...]
    plain: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Artefact:
    """A compiled contract as shipped."""

    name: str
    bytecode: bytes
    constructor: tuple[str, ...]
    functions: dict[tuple[str, int], Function]
    events: dict[bytes, Event]


@cache
def artefact(name: str) -> Artefact:
    """A shipped contract by name. Raises NotFound ``chain.no_artefact``."""
    file = files("penstock.chain") / "artefacts" / f"{name}.json"
    if not file.is_file():
        raise NotFound("chain.no_artefact", f"There is no compiled contract {name}.", name=name)
    found = json.loads(file.read_text())
    abi = found["abi"]
    made = next((_types(item["inputs"]) for item in abi if item["type"] == "constructor"), ())
    functions = {(item["name"], len(item["inputs"])): _function(item) for item in abi if item["type"] == "function"}
    events = dict(_event(item) for item in abi if item["type"] == "event")
    return Artefact(name, bytes.fromhex(found["bytecode"].removeprefix("0x")), made, functions, events)


def _types(inputs: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(_type(one) for one in inputs)


def _type(one: dict[str, Any]) -> str:
    kind: str = one["type"]
    if not kind.startswith("tuple"):
        return kind
    return f"({','.join(_types(one['components']))}){kind.removeprefix('tuple')}"


def _function(item: dict[str, Any]) -> Function:
    inputs = _types(item["inputs"])
    return Function(keccak(text=f"{item['name']}({','.join(inputs)})")[:4], inputs, _types(item["outputs"]))


def _event(item: dict[str, Any]) -> tuple[bytes, Event]:
    types = [(one["name"], _type(one), one["indexed"]) for one in item["inputs"]]
    topic = keccak(text=f"{item['name']}({','.join(kind for _, kind, _ in types)})")
    indexed = tuple((name, kind) for name, kind, marked in types if marked)
    return topic, Event(item["name"], indexed, tuple((name, kind) for name, kind, marked in types if not marked))


@dataclass(frozen=True, slots=True)
class Log:
    """A decoded event with where it stands."""

    name: str
    args: dict[str, Any]
    address: bytes
    block_number: int
    block_hash: bytes
    tx_hash: bytes
    index: int


class Contract:
    """A deployed contract: encodes calls to it and decodes what it answers."""

    def __init__(self, name: str, address: bytes) -> None:
        self.artefact, self.address = artefact(name), address

    def encode(self, function: str, *args: Any) -> bytes:
        """Calldata. Raises NotFound ``chain.no_function``."""
        found = self._function(function, len(args))
        return found.selector + abi_encode(found.inputs, args)

    def decode(self, function: str, count: int, raw: bytes) -> Any:
        """What a function of ``count`` arguments answered: one value alone, several as a tuple."""
        values = abi_decode(self._function(function, count).outputs, raw)
        return values[0] if len(values) == 1 else values

    def _function(self, name: str, count: int) -> Function:
        found = self.artefact.functions.get((name, count))
        if found is None:
            raise NotFound("chain.no_function", f"{self.artefact.name} has no {name} of {count} arguments.")
        return found


def init_code(name: str, *args: Any) -> bytes:
    """Bytes that deploy a shipped contract."""
    made = artefact(name)
    return made.bytecode + abi_encode(made.constructor, args)


def decode_log(made: Artefact, raw: dict[str, Any]) -> Log:
    """A raw log of one of the artefact's events. Raises NotFound ``chain.no_event``."""
    topics = [to_bytes(topic) for topic in raw["topics"]]
    event = made.events.get(topics[0])
    if event is None:
        raise NotFound("chain.no_event", f"{made.name} has no such event.")
    args = {name: abi_decode([kind], topic)[0] for (name, kind), topic in zip(event.indexed, topics[1:], strict=True)}
    plain = abi_decode([kind for _, kind in event.plain], to_bytes(raw["data"]))
    args |= dict(zip((name for name, _ in event.plain), plain, strict=True))
    return Log(
        event.name,
        args,
        to_bytes(raw["address"]),
        int(raw["blockNumber"], 16),
        to_bytes(raw["blockHash"]),
        to_bytes(raw["transactionHash"]),
        int(raw["logIndex"], 16),
    )


def to_hex(raw: bytes) -> str:
    """``0x`` and lower-case hex."""
    return "0x" + raw.hex()


def to_bytes(text: str) -> bytes:
    """The bytes of hex with or without ``0x``."""
    return bytes.fromhex(text.removeprefix("0x"))

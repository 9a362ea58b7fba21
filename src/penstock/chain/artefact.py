"""The compiled contracts that ship in the package, and their calls and events as bytes (contract ABI)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

from eth_abi.abi import encode
from eth_abi.codec import ABIDecoder
from eth_abi.decoding import StringDecoder
from eth_abi.encoding import TextStringEncoder
from eth_abi.exceptions import DecodingError, EncodingError
from eth_abi.registry import BaseEquals
from eth_abi.registry import registry as known_types
from eth_utils.abi import collapse_if_tuple, event_abi_to_log_topic, function_abi_to_4byte_selector

from penstock.errors import Invalid, NotFound

_NAME: Final = re.compile(r"[A-Z][A-Za-z]{0,40}")
AbiItem = Any  # a JSON object of the contract ABI, which eth_utils types more narrowly than it is


def _decoder() -> ABIDecoder:
    """Whoever calls a contract writes its strings, and no contract asks whether they are text: what is not UTF-8 is
    read as U+FFFD, so that nobody's event can keep the others from being read."""
    types: Any = known_types.copy()  # type: ignore[no-untyped-call]
    strings: Any = BaseEquals("string", with_sub=False)  # type: ignore[no-untyped-call]
    lenient: Any = StringDecoder("replace")  # type: ignore[no-untyped-call]
    types.unregister("string")
    types.register(strings, TextStringEncoder, lenient, label="string")
    return ABIDecoder(types)


_DECODER: Final = _decoder()


@dataclass(frozen=True, slots=True)
class Artefact:
    """A compiled contract: interface, creation and runtime code, and what it was compiled from and with."""

    name: str
    abi: tuple[AbiItem, ...]
    bytecode: bytes
    runtime: bytes
    compiler: str
    source_sha256: str

    def item(self, kind: str, name: str) -> AbiItem:
        """The function or event of that name; Vyper has no overloads.

        Raises:
            NotFound: ``contract.no_item``.
        """
        for item in self.abi:
            if item["type"] == kind and item.get("name") == name:
                return item
        raise NotFound("contract.no_item", f"{self.name} has no {kind} {name}.")


@lru_cache
def load_artefact(name: str) -> Artefact:
    """The contract of that name.

    Raises:
        NotFound: ``contract.unknown``.
    """
    file = files("penstock.chain") / "artefacts" / f"{name}.json"
    if not _NAME.fullmatch(name) or not file.is_file():
        raise NotFound("contract.unknown", f"No contract {name!r} is shipped.")
    found = json.loads(file.read_text())
    creation, runtime = (bytes.fromhex(found[part].removeprefix("0x")) for part in ("bytecode", "runtime"))
    abi = tuple(found["abi"])
    return Artefact(found["name"], abi, creation, runtime, str(found["compiler"]), found["source_sha256"])


def creation_data(artefact: Artefact, *args: Any) -> bytes:
    """Creation code with the constructor's arguments.

    Raises:
        Invalid: ``contract.arguments``, as all encoders here.
    """
    constructor: AbiItem = next((item for item in artefact.abi if item["type"] == "constructor"), {"inputs": []})
    return artefact.bytecode + _encoded(artefact, constructor, args)


def call_data(artefact: Artefact, function: str, *args: Any) -> bytes:
    """Selector and arguments of a call."""
    item = artefact.item("function", function)
    return function_abi_to_4byte_selector(item) + _encoded(artefact, item, args)


def result(artefact: Artefact, function: str, output: bytes) -> tuple[Any, ...]:
    """The values a call returned. Raises Invalid ``contract.output``."""
    return _decoded(_types(artefact.item("function", function)["outputs"]), output)


def event(artefact: Artefact, topics: tuple[bytes, ...], data: bytes) -> tuple[str, dict[str, Any]] | None:
    """Name and arguments of an event of this contract, or None for another's.

    An indexed argument of dynamic type is only its hash, and given as such.
    """
    for item in artefact.abi:
        if item["type"] == "event" and topics and event_abi_to_log_topic(item) == topics[0]:
            return item["name"], _event_arguments(item["inputs"], topics[1:], data)
    return None


def _event_arguments(inputs: list[AbiItem], topics: tuple[bytes, ...], data: bytes) -> dict[str, Any]:
    plain = iter(_decoded(_types([x for x in inputs if not x["indexed"]]), data))
    words = iter(topics)
    return {x["name"]: _indexed(x, next(words, b"")) if x["indexed"] else next(plain) for x in inputs}


def _indexed(item: AbiItem, word: bytes) -> Any:
    dynamic = item["type"] in ("string", "bytes") or item["type"].endswith("]") or item["type"].startswith("tuple")
    return word if dynamic else _decoded([item["type"]], word)[0]


def _types(items: list[AbiItem]) -> list[str]:
    return [collapse_if_tuple(item) for item in items]


def _encoded(artefact: Artefact, item: AbiItem, args: tuple[Any, ...]) -> bytes:
    types = _types(item["inputs"])
    try:
        if len(types) != len(args):
            raise TypeError("wrong number of arguments")
        return encode(types, args)
    except (EncodingError, TypeError, ValueError) as wrong:
        name = f"{artefact.name}.{item.get('name', 'constructor')}({','.join(types)})"
        raise Invalid("contract.arguments", f"These are no arguments of {name}.") from wrong


def _decoded(types: list[str], data: bytes) -> tuple[Any, ...]:
    try:
        return tuple(_DECODER.decode(types, data))
    except (DecodingError, OverflowError) as wrong:
        raise Invalid("contract.output", f"These bytes are no ({','.join(types)}).") from wrong

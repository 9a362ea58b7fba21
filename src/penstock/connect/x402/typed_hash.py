"""The digest of flat EIP-712 messages, in a few hashes. Source: EIP-712, "definition of hashStruct"."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from eth_utils.crypto import keccak

Fields = tuple[tuple[str, str], ...]
"""Names and types: ``string``, ``address``, ``uint256``, ``bytes32``."""


def digest(domain: bytes, kind: str, fields: Fields, values: Mapping[str, Any]) -> bytes:
    """The 32 bytes that are signed. Raises KeyError, TypeError or ValueError for values that are not of the types."""
    words = b"".join(_word(type_, values[name]) for name, type_ in fields)
    return keccak(b"\x19\x01" + domain + keccak(_type_hash(kind, fields) + words))


@lru_cache(maxsize=64)
def domain_separator(name: str, version: str, chain_id: int, contract: bytes = b"") -> bytes:
    """The domain's hash; without ``contract`` the domain has none."""
    words = keccak(text=name) + keccak(text=version) + chain_id.to_bytes(32, "big")
    fields: Fields = (("name", "string"), ("version", "string"), ("chainId", "uint256"))
    if not contract:
        return keccak(_type_hash("EIP712Domain", fields) + words)
    return keccak(
        _type_hash("EIP712Domain", (*fields, ("verifyingContract", "address"))) + words + bytes(12) + contract
    )


@lru_cache(maxsize=64)
def _type_hash(kind: str, fields: Fields) -> bytes:
    return keccak(text=f"{kind}({','.join(f'{type_} {name}' for name, type_ in fields)})")


def _word(type_: str, value: Any) -> bytes:
    if type_ == "string":
        return keccak(text=value)
    if type_ == "uint256":
        return int(value).to_bytes(32, "big")
    raw = bytes.fromhex(value[2:]) if isinstance(value, str) else bytes(value)
    if len(raw) != (20 if type_ == "address" else 32):
        raise ValueError(f"{type_} of {len(raw)} bytes")
    return raw.rjust(32, b"\0")

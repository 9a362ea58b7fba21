"""Facts to bytes and back: canonical JSON, one form for one fact.

Every value is a JSON string, list, object, boolean or null (RFC 8785 order: keys
sorted, no spaces, UTF-8); whole numbers travel as decimal strings and bytes as
lower-case hex, so no reader can lose a digit. The type hints of the dataclass
say how to read a value back; nothing is guessed.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Callable
from enum import StrEnum
from functools import cache
from typing import Any, Final, TypeVar, Union, cast

from penstock.errors import Invalid
from penstock.journal.exact_text import INT_BITS_MAX
from penstock.journal.nesting import deeper_than

T = TypeVar("T")
DEPTH_MAX: Final = 1_000
"""No fact nests deeper."""
Plain = None | bool | str | list["Plain"] | dict[str, "Plain"]


def to_plain(value: object) -> Plain:
    """``value`` as JSON values without numbers. Raises Invalid ``canonical.type`` for anything unexpected."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if type(value) is int and value.bit_length() <= INT_BITS_MAX:
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, tuple):
        return [to_plain(item) for item in value]
    if dataclasses.is_dataclass(value):
        kind: Any = type(value)
        return {name: to_plain(getattr(value, name)) for name in _field_names(kind)}
    raise Invalid("canonical.type", f"A fact holds no {type(value).__name__}.")


def dump(plain: Plain) -> bytes:
    """The canonical bytes of plain values. Raises Invalid ``canonical.type`` for text with half a surrogate pair."""
    try:
        return _ENCODER.encode(plain).encode()
    except UnicodeEncodeError:
        raise Invalid("canonical.type", "A fact's text is Unicode, without surrogates.") from None


def load(raw: bytes) -> Plain:
    """Parse canonical bytes; any other form of the same JSON is refused.

    Raises:
        Invalid: ``canonical.malformed``.
    """
    try:
        text = raw.decode()
        if deeper_than(text, DEPTH_MAX):
            raise ValueError("too deep")
        plain = _DECODER.decode(text)
        canonical = dump(plain)
    except (ValueError, RecursionError, Invalid):
        raise Invalid("canonical.malformed", "These bytes are not canonical JSON.") from None
    if canonical != raw:
        raise Invalid("canonical.malformed", "These bytes are not in canonical form.")
    return cast(Plain, plain)


def from_plain(kind: type[T], plain: Plain) -> T:
    """Read a dataclass back; Invalid ``canonical.malformed`` where a field is missing, extra or of another type."""
    try:
        return cast(T, _reader(cast(Any, kind))(plain))
    except (TypeError, ValueError, KeyError, AttributeError, Invalid):
        raise Invalid("canonical.malformed", f"This is not a {kind.__name__}.") from None


def _refuse_number(text: str) -> Plain:
    raise ValueError(text)


_ENCODER: Final = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
_DECODER: Final = json.JSONDecoder(parse_int=_refuse_number, parse_float=_refuse_number, parse_constant=_refuse_number)


@cache
def _field_names(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind))


@cache
def _reader(kind: Any) -> Callable[[Any], object]:
    if kind in _SCALARS:
        return _SCALARS[kind]
    origin = typing.get_origin(kind)
    if origin in (Union, types.UnionType):
        (inner,) = [arm for arm in typing.get_args(kind) if arm is not type(None)]
        read = _reader(inner)
        return lambda plain: None if plain is None else read(plain)
    if origin is tuple:
        item = _reader(typing.get_args(kind)[0])
        return lambda plain: tuple(item(part) for part in _expect(plain, list))
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return kind
    return _record_reader(kind)


def _record_reader(kind: type) -> Callable[[Any], object]:
    hints = typing.get_type_hints(kind)
    readers = {name: _reader(hints[name]) for name in _field_names(kind)}

    def read(plain: Any) -> object:
        if _expect(plain, dict).keys() != readers.keys():
            raise ValueError(kind.__name__)
        return kind(**{name: reader(plain[name]) for name, reader in readers.items()})

    return read


def _expect(plain: Any, kind: type[T]) -> T:
    if type(plain) is not kind:
        raise TypeError(kind.__name__)
    return plain


def _read_int(plain: Any) -> int:
    value = int(_expect(plain, str))
    if to_plain(value) != plain:
        raise ValueError(plain)
    return value


def _read_bytes(plain: Any) -> bytes:
    value = bytes.fromhex(_expect(plain, str))
    if value.hex() != plain:
        raise ValueError(plain)
    return value


_SCALARS: dict[Any, Callable[[Any], object]] = {
    int: _read_int,
    str: lambda plain: _expect(plain, str),
    bool: lambda plain: _expect(plain, bool),
    bytes: _read_bytes,
}

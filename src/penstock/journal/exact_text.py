"""The canonical text of a value in one pass, where every part is exactly of its hinted type.

Such a value is what a reader of its text makes of it, so nothing need be read back. Whatever else a hint would let
through (a plain string where a member of an enum is meant) is `Inexact` and goes the long way, by `canonical`.
Writers are put together once a type; their text is tested equal to `canonical`'s.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Callable
from enum import StrEnum
from functools import cache
from typing import Any, Final, Union

INT_BITS_MAX: Final = 4_096
"""Far above any word of a chain, far below what makes decimal digits slow to read."""
Writer = Callable[[Any], str]
quote: Final[Writer] = json.encoder.encode_basestring


class Inexact(Exception):
    """A part is not exactly of its hinted type, or the hint is none that a fact has."""


@cache
def text_writer(kind: Any) -> Writer:
    """How values of exactly this type are written; the writer raises `Inexact` for any other."""
    if kind in _SCALARS:
        return _SCALARS[kind]
    origin = typing.get_origin(kind)
    if origin in (Union, types.UnionType):
        return _optional_writer([arm for arm in typing.get_args(kind) if arm is not type(None)])
    if origin is tuple:
        return _tuple_writer(text_writer(typing.get_args(kind)[0]))
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _exactly(kind, quote)
    return _record_writer(kind) if dataclasses.is_dataclass(kind) else _refuse


def _exactly(kind: type, write: Writer) -> Writer:
    def checked(value: Any) -> str:
        if type(value) is not kind:
            raise Inexact
        return write(value)

    return checked


def _optional_writer(arms: list[Any]) -> Writer:
    if len(arms) != 1:
        return _refuse
    write = text_writer(arms[0])
    return lambda value: "null" if value is None else write(value)


def _tuple_writer(write: Writer) -> Writer:
    return _exactly(tuple, lambda value: f"[{','.join(map(write, value))}]")


def _record_writer(kind: Any) -> Writer:
    hints = typing.get_type_hints(kind)
    names = sorted(field.name for field in dataclasses.fields(kind))
    parts = [(f"{quote(name)}:", name, text_writer(hints[name])) for name in names]

    def write(value: Any) -> str:
        return f"{{{','.join([label + write(getattr(value, name)) for label, name, write in parts])}}}"

    return _exactly(kind, write)


def _write_int(value: int) -> str:
    if value.bit_length() > INT_BITS_MAX:
        raise Inexact
    return f'"{value}"'


def _refuse(_value: Any) -> str:
    raise Inexact


_SCALARS: Final[dict[Any, Writer]] = {
    int: _exactly(int, _write_int),
    str: _exactly(str, quote),
    bool: _exactly(bool, lambda value: "true" if value else "false"),
    bytes: _exactly(bytes, lambda value: f'"{value.hex()}"'),
}

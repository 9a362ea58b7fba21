"""Dialects: what differs between vendors' clouds, as data. A new vendor is a new file in ``dialects/``."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, fields
from importlib.resources import files
from typing import Any, Final, Literal, get_args, get_type_hints

from penstock.connect.field_text import MJ_PER_UNIT, MW_PER_UNIT
from penstock.errors import Invalid, NotFound

Shape = Literal["interval", "lifetime"]
"""Whether rows tell the energy of an interval, or where the register stood."""


@dataclass(frozen=True, slots=True)
class Token:
    """Where tokens are refreshed (RFC 6749, 6), and where the client's secret goes (2.3.1)."""

    path: str
    client_in: Literal["header", "form"]
    needs_api_key: bool


@dataclass(frozen=True, slots=True)
class History:
    """How a stretch of history is asked for.

    ``start``, ``stop``: the parameters' names. ``instants``: how times are written. ``window_s``: length of one
    question. ``settle_s``: younger rows may still change and are left for later. ``wait_gap_s``: how long a missing
    interval of ``step_s`` is waited for, before what follows is taken without it.
    """

    path: str
    start: str
    stop: str
    instants: Literal["epoch_s", "local"]
    window_s: int
    settle_s: int
    wait_gap_s: int
    step_s: int


@dataclass(frozen=True, slots=True)
class Rows:
    """Where the rows lie in an answer, and a row's fields; dots lead into objects."""

    list: str
    at: str
    energy: str
    energy_unit: str
    power: str
    power_unit: str


@dataclass(frozen=True, slots=True)
class Paging:
    """``asked``: the parameter's name. ``told``: where an answer tells the next cursor, or how many pages there are."""

    kind: Literal["cursor", "page"]
    asked: str
    told: str


@dataclass(frozen=True, slots=True)
class Limits:
    """What the vendor allows."""

    requests_per_minute: int
    api_key_header: str


@dataclass(frozen=True, slots=True)
class Dialect:
    """One vendor's way of saying it."""

    name: str
    shape: Shape
    token: Token
    history: History
    rows: Rows
    paging: Paging
    limits: Limits


_PARTS: Final[dict[str, type[Any]]] = {
    "token": Token,
    "history": History,
    "rows": Rows,
    "paging": Paging,
    "limits": Limits,
}


def dialects() -> list[str]:
    """The names of the dialects that are shipped."""
    return sorted(
        one.name[:-5] for one in files(__package__).joinpath("dialects").iterdir() if one.name[-5:] == ".toml"
    )


def shipped(name: str) -> Dialect:
    """A shipped dialect. Raises NotFound ``connect.dialect``."""
    if name not in dialects():
        known = ", ".join(dialects())
        raise NotFound("connect.dialect", "No dialect has this name.", hint=f"Known: {known}.", dialect=name)
    return parse(name, files(__package__).joinpath("dialects", f"{name}.toml").read_text("utf-8"))


def parse(name: str, text: str) -> Dialect:
    """A dialect from its TOML text.

    Raises:
        Invalid: ``connect.dialect_malformed``, naming the field.
    """
    try:
        given = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        raise _malformed(name, "the file") from None
    if given.keys() != {"shape", *_PARTS} or given["shape"] not in get_args(Shape):
        raise _malformed(name, "shape")
    parts = {part: _part(name, part, kind, given[part]) for part, kind in _PARTS.items()}
    dialect = Dialect(name, given["shape"], **parts)
    if dialect.rows.energy_unit not in MJ_PER_UNIT or dialect.rows.power_unit not in MW_PER_UNIT:
        raise _malformed(name, "rows")
    return dialect


def _part(name: str, part: str, kind: type[Any], given: Any) -> Any:
    hints = get_type_hints(kind)
    if not isinstance(given, dict) or given.keys() != {one.name for one in fields(kind)}:
        raise _malformed(name, part)
    for field, value in given.items():
        allowed = get_args(hints[field])
        if value not in allowed if allowed else type(value) is not hints[field]:
            raise _malformed(name, f"{part}.{field}")
        if (type(value) is int and value < 0) or (field in ("window_s", "requests_per_minute", "step_s") and not value):
            raise _malformed(name, f"{part}.{field}")
    return kind(**given)


def _malformed(name: str, field: str) -> Invalid:
    return Invalid("connect.dialect_malformed", "A dialect's file is not as it has to be.", dialect=name, field=field)

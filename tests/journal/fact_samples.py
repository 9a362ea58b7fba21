"""Instances of every fact kind, made from its type hints: one fixed example a kind, and any number at random.

``python tests/journal/fact_samples.py > tests/golden/facts.json`` writes the golden file anew. Do that for a new kind
only: a kind whose bytes change needs a new version and an upcaster.
"""

from __future__ import annotations

import dataclasses
import json
import sys
import types
import typing
from collections.abc import Iterator
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from penstock.journal.fact import FactBody, encode
from penstock.journal.kinds import KINDS
from penstock.journal.tree import leaf_hash

AT_US = 1_471_849_200_000_001
OLDER = Path(__file__).parents[1] / "golden" / "older_facts.json"
WORDS = ("ångström", 'a "quoted" \\ word', "line\nbreak\ttab\x00\x7f", "日本 🌞", "")


def example_of(kind: type[FactBody]) -> FactBody:
    """The fixed example: no two fields alike, text and numbers of every awkward kind."""
    made = _example(kind, count(1))
    assert isinstance(made, kind)
    return made


def _example(kind: Any, number: Iterator[int]) -> Any:
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return _example(next(arm for arm in typing.get_args(kind) if arm is not type(None)), number)
    if origin is tuple:
        return tuple(_example(typing.get_args(kind)[0], number) for _ in range(2))
    i = next(number)
    if kind is bool:
        return i % 2 == 1
    if kind is int:
        return (2**255 + i, -i, 10**18 + i, 0)[i % 4]
    if kind is str:
        return f"{WORDS[i % len(WORDS)]}{i}"
    if kind is bytes:
        return bytes(range(i, i + 4))
    if issubclass(kind, StrEnum):
        return list(kind)[i % len(kind)]
    hints = typing.get_type_hints(kind)
    return kind(**{field.name: _example(hints[field.name], number) for field in dataclasses.fields(kind)})


def any_of(kind: Any) -> st.SearchStrategy[Any]:
    """Instances at random."""
    origin = typing.get_origin(kind)
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*(any_of(arm) if arm is not type(None) else st.none() for arm in typing.get_args(kind)))
    if origin is tuple:
        return st.lists(any_of(typing.get_args(kind)[0]), max_size=3).map(tuple)
    scalars: dict[Any, st.SearchStrategy[Any]] = {
        bool: st.booleans(),
        int: st.integers(-(2**256), 2**256),
        str: st.text(max_size=20),
        bytes: st.binary(max_size=40),
    }
    if kind in scalars:
        return scalars[kind]
    if issubclass(kind, StrEnum):
        return st.sampled_from(kind)
    hints = typing.get_type_hints(kind)
    return st.builds(kind, **{field.name: any_of(hints[field.name]) for field in dataclasses.fields(kind)})


def golden() -> dict[str, dict[str, str]]:
    """Body and leaf of every kind's example, by kind and version; those of older versions as they were written."""
    bodies = {f"{kind.KIND}/{kind.VERSION}": encode(example_of(kind), AT_US) for kind in KINDS}
    now = {name: {"body": body.decode(), "leaf": leaf_hash(body).hex()} for name, body in bodies.items()}
    return dict(sorted((now | json.loads(OLDER.read_text("utf-8"))).items()))


if __name__ == "__main__":
    json.dump(golden(), sys.stdout, indent=1, ensure_ascii=True)
    sys.stdout.write("\n")

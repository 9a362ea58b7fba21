"""Drawn rows done again by an engine that is not the provider's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from penstock.compute.reexecution import (
    NOTHING,
    VECTOR_TOLERANCE,
    Asked,
    Disclosure,
    Finding,
    Vectors,
    held,
    opened,
)
from penstock.errors import Invalid
from penstock.usecases.challenge.disclose import Disclose
from penstock.usecases.challenge.draw import DrawnRow, DrawnWork
from penstock.usecases.challenge.evidence import Evidence, Found


class Used(Protocol):
    """What an engine used."""

    @property
    def prompt_tokens(self) -> int:
        """Tokens of all texts together."""


class Engine(Protocol):
    """What does work again: a model in this process, or a server elsewhere that has the same."""

    def models(self) -> tuple[str, ...]:
        """Names under which it answers."""

    def embed(self, texts: Sequence[str]) -> tuple[Vectors, Used]:
        """One unit vector a text, and what it used."""


def reexecute(
    work: DrawnWork, disclose: Disclose, engine: Engine, tolerance: float = VECTOR_TOLERANCE, name: str = ""
) -> Evidence:
    """Do every drawn row again; what each of them shows. ``name`` says which engine judged.

    Raises:
        Invalid: ``challenge.model`` where the engine has another model than was stated: it could judge nothing.
    """
    fact = work.drawn.work.fact
    if fact.model not in engine.models():
        raise Invalid("challenge.model", "The engine does not have the model that was stated.", model=fact.model)
    found = tuple(_again(row, disclose(row.payment_id), engine, tolerance) for row in work.rows)
    return Evidence(fact.provider, fact.rack, fact.root, work.drawn.seed, name or engine.models()[0], tolerance, found)


def _again(row: DrawnRow, shown: Disclosure, engine: Engine, tolerance: float) -> Found:
    finding = finding_of(row, shown, engine, tolerance)
    kept = NOTHING if finding is Finding.AGREES else shown
    return Found(row.row, row.payment_id, finding, kept)


def finding_of(row: DrawnRow, shown: Disclosure, engine: Engine, tolerance: float) -> Finding:
    """What one row shows."""
    asked = opened(row.stated, shown)
    if isinstance(asked, Finding):
        return asked
    try:
        return _held(row, asked, engine, tolerance)
    except Invalid:  # the model takes no such text, so nobody can have answered it
        return Finding.UNREADABLE


def _held(row: DrawnRow, asked: Asked, engine: Engine, tolerance: float) -> Finding:
    again, used = engine.embed(asked.texts)
    return held(row.stated, asked, used.prompt_tokens, again, tolerance)

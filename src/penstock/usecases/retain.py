"""Retain: readings and messages older than so many days are erased, whoever they are of; certificates stay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from penstock.errors import Invalid
from penstock.period import DAY_US
from penstock.usecases.erase import RETENTION, ErasureAsked, act


def retain(workspace: Path, days: int, at_us: int) -> dict[str, Any]:
    """Keep the last ``days`` whole days and today (UTC), erase what is older.

    Raises:
        Invalid: ``retain.days`` unless it is one day or more. Refused: ``erase.nothing``.
    """
    before_us = at_us // DAY_US * DAY_US - days * DAY_US
    if days < 1 or before_us <= 0:
        raise Invalid("retain.days", "At least one day is kept, and no more than there were since 1970.")
    return act(workspace, ErasureAsked((), "", before_us), RETENTION, at_us)

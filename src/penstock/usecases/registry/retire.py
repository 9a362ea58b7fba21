"""Retire: a certificate is used up for a stated reason. A green tariff uses it up as well, and so excludes any other.

What somebody drew is claimed instead (`claim`), which says for which Wh.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from penstock.errors import Invalid
from penstock.journal.fact import Entry
from penstock.journal.words import Right, TitleState
from penstock.period import Period
from penstock.usecases.claim import Claim, moved
from penstock.usecases.registry.desk import Done, done
from penstock.usecases.registry.selection import Selection, Use, quantity_of, usable
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

TARIFF: Final = "green tariff: "
"""How the purpose of a green tariff begins."""
TEXT_CHARS_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class Retirement:
    """Certificates of ``account`` are used up for ``beneficiary``; ``reason`` and ``statement`` are public.

    ``start_us`` to ``stop_us`` is the time that it is about, where there is one.
    """

    account: str
    selection: Selection
    beneficiary: str
    reason: str
    statement: str = ""
    start_us: int = 0
    stop_us: int = 0
    by: str = ""


def retire(world: World, asked: Retirement, at_us: int) -> list[Entry]:
    """The fact of a retirement.

    Raises:
        Invalid: ``retire.reason`` without a reason, ``retire.text`` for text that is too long or cannot be printed,
        ``period.empty``. As `usable` and `check_may`.
    """
    check_text(asked.beneficiary, asked.reason, asked.statement)
    if not asked.reason.strip():
        raise Invalid("retire.reason", "A retirement says what for.")
    period = Period(asked.start_us, asked.stop_us) if asked.start_us or asked.stop_us else None
    parts = usable(world, asked.account, asked.selection, Use(TitleState.RETIRED, asked.beneficiary), at_us)
    world.participants.check_may(asked.by, asked.account, "retire", quantity_of(parts))
    told = Claim(asked.beneficiary, asked.reason, period, asked.statement, asked.by)
    return [moved(world, Right.ATTRIBUTE, parts, TitleState.RETIRED, told, at_us=at_us)]


def green_tariff(tariff: str) -> str:
    """The reason of a retirement for the customers of a tariff.

    Raises:
        Invalid: ``retire.reason`` without a name.
    """
    if not tariff.strip():
        raise Invalid("retire.reason", "A green tariff has a name.")
    return TARIFF + tariff


def check_text(*texts: str) -> None:
    """That texts can be told to the public; raises Invalid ``retire.text``."""
    for text in texts:
        if len(text) > TEXT_CHARS_MAX or not text.isprintable():
            raise Invalid("retire.text", f"A text has at most {TEXT_CHARS_MAX} printable characters.")


def retire_on(workspace: Workspace, key: str, asked: Retirement, at_us: int) -> Done:
    """Record a retirement under a key; the same key again tells what it did. Raises as `retire`."""
    return done(workspace, key, asked, at_us, lambda world: retire(world, asked, at_us))

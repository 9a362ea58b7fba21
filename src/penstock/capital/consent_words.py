"""``votes:`` who must consent to what; ``pool:`` which assets count, for how much."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Final, Literal, cast

from penstock.capital.deal import Pool, Vote
from penstock.capital.reader import Reader
from penstock.capital.source import Place
from penstock.journal.words import Assurance

VOTES: Final = ("amendment", "waiver", "replacement")
VOTE: Final = ("classes", "share")
POOL: Final = ("assurance", "past_due", "advance", "caps", "related", "tail")
CAPS: Final = ("offtaker", "obligor", "region", "contract", "technology", "kind")
LEVELS: Final = tuple(level.value for level in Assurance)
_SHARE: Final = "A share lies between 0 and 100 %."
_DAY_S: Final = 86400
_AT_LEAST: Final = re.compile(r"at least (\w+)")
_AT_MOST: Final = re.compile(r"at most (.+)")


def read_vote(reader: Reader, kind: str, place: Place) -> Vote:
    """What one kind of consent takes."""
    reader.source.known(place, kind, VOTES, "vote on")
    at = reader.source.mapping(place, (), VOTE)
    classes = tuple(item.text for item in reader.source.items(at["classes"])) if "classes" in at else ()
    share = reader.rate(at["share"], _SHARE) if "share" in at else Fraction(1)
    if "share" in at and not share:
        reader.source.wrong(at["share"], "Nobody's consent is no vote.", "Write a share above 0 %, as `66.67 %`.")
    return Vote(cast(Literal["amendment", "waiver", "replacement"], kind), classes, share)


def read_pool(reader: Reader, place: Place) -> Pool:
    """Eligibility, advance rates and concentration caps."""
    at = reader.source.mapping(place, POOL)
    return Pool(
        assurance_at_least=_least(reader, at["assurance"]) if "assurance" in at else "",
        past_due_days_max=_most(reader, at["past_due"]) if "past_due" in at else -1,
        advance=_shares(reader, at.get("advance"), (*LEVELS, "other"), "level of assurance"),
        caps=_shares(reader, at.get("caps"), CAPS, "attribute of an asset"),
        related=reader.yes(at["related"], "Assets of related parties count or not.") if "related" in at else False,
        tail_days=_days(reader, at["tail"], at["tail"].text) if "tail" in at else 0,
    )


def _least(reader: Reader, place: Place) -> str:
    found = _AT_LEAST.fullmatch(place.text)
    if not found:
        reader.source.wrong(place, "This is no least assurance.", "Write `at least meter_signed`.")
        return ""
    return found[1] if reader.source.known(place, found[1], LEVELS, "level of assurance") else ""


def _most(reader: Reader, place: Place) -> int:
    found = _AT_MOST.fullmatch(place.text)
    return _days(reader, place, found[1] if found else "")


def _days(reader: Reader, place: Place, text: str) -> int:
    found = re.fullmatch(r"(\d{1,5}) ?d", text)
    if not found:
        example = "at most 60 d" if place.path.endswith("past_due") else "180 d"
        reader.source.wrong(place, "This is no number of days.", f"Write `{example}`.")
    return int(found[1]) if found else 0


def _shares(reader: Reader, place: Place | None, known: tuple[str, ...], what: str) -> tuple[tuple[str, Fraction], ...]:
    shares: list[tuple[str, Fraction]] = []
    for name, at in reader.entries(place).items():
        if reader.source.known(at, name, known, what):
            shares.append(("" if name == "other" else name, reader.rate(at, _SHARE)))
    return tuple(shares)

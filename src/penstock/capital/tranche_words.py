"""``tranches:`` claims, most senior first."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Final, Literal, cast

from penstock.capital.calendar_words import period_from
from penstock.capital.deal import Calendar, DayCount, Floating, StepUp, Tranche
from penstock.capital.reader import COUNTS, Reader
from penstock.capital.source import Place

WORDS: Final = (
    "face", "rate", "count", "principal", "shortfall", "residual", "notional", "commitment", "legal_final", "holders",
)  # fmt: skip
SHORTFALLS: Final = ("carry", "carry with interest", "pik", "default")
FLOATING: Final = ("margin", "floor", "cap", "step_up")
STEPS_MAX: Final = 8


def read_tranche(reader: Reader, name: str, place: Place, calendar: Calendar) -> Tranche:
    """One tranche."""
    at = reader.source.mapping(place, WORDS)
    residual = "residual" in at and reader.yes(at["residual"], "A tranche is residual or not.")
    _complete(reader, place, at, residual)
    return _rated(reader, at, calendar, _principal(reader, at, _plain(reader, name, at, residual)))


def _complete(reader: Reader, place: Place, at: dict[str, Place], residual: bool) -> None:
    if residual:
        for key in sorted(at.keys() - {"residual", "holders"}):
            reader.source.wrong(at[key], "A residual takes what is left.", f"Drop `{key}`, or `residual`.")
        return
    instead = "`residual: true`, a `notional:` or a `commitment:`"
    if not at.keys() & {"face", "notional", "commitment"}:
        reader.source.wrong(place, "`face` is missing.", f"Add `face:`, or {instead}.")
    if "rate" not in at:
        reader.source.wrong(place, "`rate` is missing.", "Add `rate:`, or `residual: true`.")
    for key in ("face", "principal", "commitment") if "notional" in at else ():
        if key in at:
            reader.source.wrong(at[key], "Interest on a notional has no balance.", f"Drop `{key}`, or `notional`.")


def _plain(reader: Reader, name: str, at: dict[str, Place], residual: bool) -> Tranche:
    shortfall = reader.choice(at.get("shortfall"), SHORTFALLS, "rule for a shortfall")
    return Tranche(
        name,
        face_usdc_micro=reader.money(at["face"]) if "face" in at else 0,
        count=cast(DayCount, reader.choice(at.get("count"), COUNTS, "day count")),
        shortfall=cast(Literal["carry", "carry with interest", "pik", "default"], shortfall),
        residual=residual,
        notional=reader.term(at["notional"]) if "notional" in at else None,
        commitment_usdc_micro=reader.money(at["commitment"]) if "commitment" in at else 0,
        legal_final_s=reader.day(at["legal_final"]) if "legal_final" in at else 0,
        classes=_classes(reader, at["holders"]) if "holders" in at else (),
    )


def _classes(reader: Reader, place: Place) -> tuple[int, ...]:
    numbers = [reader.whole(item, 0, 255, "investor class") for item in reader.source.items(place)]
    if not numbers or len(set(numbers)) < len(numbers):
        reader.source.wrong(place, "Name each investor class once.", "Write `[1, 2]`, or leave `holders` out for any.")
    return tuple(sorted(set(numbers)))


def _principal(reader: Reader, at: dict[str, Place], tranche: Tranche) -> Tranche:
    """So much a period, or any amount."""
    if "principal" not in at:
        return tranche
    term = reader.term(at["principal"])
    if term.kind == "money":
        return replace(tranche, principal_usdc_micro=term.value)
    return replace(tranche, principal=term)


def _rated(reader: Reader, at: dict[str, Place], calendar: Calendar, tranche: Tranche) -> Tranche:
    """A fixed rate, a schedule's name, or a mapping: an index with its margin, or a fixed rate, with step-ups."""
    if "rate" not in at:
        return tranche
    place = at["rate"]
    if place.is_mapping:
        return _mapped(reader, place, calendar, tranche)
    if place.text in reader.names.columns:
        if reader.names.columns[place.text] != "rate":
            unit = reader.names.columns[place.text]
            reader.source.wrong(place, f"`{place.text}` is in {unit}.", "Name a schedule of rates, as `[5 %, 7 %]`.")
        return replace(tranche, rate_column=place.text)
    return replace(tranche, rate=reader.rate(place))


def _mapped(reader: Reader, place: Place, calendar: Calendar, tranche: Tranche) -> Tranche:
    at = reader.source.mapping(place, ("index", "fixed", *FLOATING))
    if ("index" in at) == ("fixed" in at):
        reader.source.wrong(place, "A rate is fixed or follows an index.", "Write `fixed: 5 %` or `index: sofr`.")
        return tranche
    tranche = replace(tranche, steps=_steps(reader, at["step_up"], calendar) if "step_up" in at else ())
    if "fixed" in at:
        for key in sorted(at.keys() & {"margin", "floor", "cap"}):
            reader.source.wrong(at[key], f"A fixed rate has no {key}.", "Drop it, or write `index:`.")
        return replace(tranche, rate=reader.rate(at["fixed"]))
    return replace(tranche, floating=_floating(reader, at))


def _floating(reader: Reader, at: dict[str, Place]) -> Floating:
    rates = [name for name, unit in reader.names.measures.items() if unit == "rate"]
    reader.source.known(at["index"], at["index"].text, rates, "measure of unit rate")
    rates_of = {key: reader.rate(at[key]) for key in ("margin", "floor", "cap") if key in at}
    cap, floor = rates_of.get("cap"), rates_of.get("floor", Fraction(0))
    if cap is not None and cap < floor:
        reader.source.wrong(at["cap"], "The cap lies below the floor.", "Swap them.")
    return Floating(at["index"].text, rates_of.get("margin", Fraction(0)), floor, cap)


def _steps(reader: Reader, place: Place, calendar: Calendar) -> tuple[StepUp, ...]:
    places = reader.source.items(place) if place.is_list else [place]
    steps = [_step(reader, one, calendar) for one in places]
    if [one.period for one in steps] != sorted({one.period for one in steps}) or len(steps) > STEPS_MAX:
        reader.source.wrong(place, f"At most {STEPS_MAX} step-ups, in order of time.", "Sort them, join equal ones.")
    return tuple(steps)


def _step(reader: Reader, place: Place, calendar: Calendar) -> StepUp:
    at = reader.source.mapping(place, (), ("from", "add"))
    period = _period(reader, at["from"], calendar) if "from" in at else 1
    if 0 < calendar.periods < period:
        reader.source.wrong(at["from"], f"The deal ends with period {calendar.periods}.", "Step up earlier.")
    return StepUp(period, reader.rate(at["add"]) if "add" in at else Fraction(0))


def _period(reader: Reader, place: Place, calendar: Calendar) -> int:
    """A period's number, or a date: the first period that starts then or later."""
    if "-" not in place.text:
        return reader.whole(place, 1, 1_000_000, "period or date")
    at_s = reader.day(place)
    if at_s and at_s <= calendar.start_s:
        reader.source.wrong(place, "This lies before the deal's start.", "Write a later date.")
    return period_from(calendar, at_s)

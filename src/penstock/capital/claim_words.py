"""``accounts:``, ``fees:`` and ``hedges:`` where cash lies, and who is paid for something other than capital."""

from __future__ import annotations

from fractions import Fraction
from typing import Final, cast

from penstock.capital import quantity
from penstock.capital.deal import Account, DayCount, Fee, Hedge, Term
from penstock.capital.reader import COUNTS, NOTHING, Reader
from penstock.capital.source import Place

ACCOUNT: Final = ("target", "releases_to")
FEE: Final = ("amount", "of", "count")
HEDGE: Final = ("notional", "pays", "receives", "count")
_HEDGE_COUNTS: Final = ("act/360", "act/365", "30/360")


def read_account(reader: Reader, name: str, place: Place) -> Account:
    """One account."""
    at = reader.source.mapping(place, ACCOUNT)
    target = reader.term(at["target"]) if "target" in at else None
    return Account(name, target, at["releases_to"].text if "releases_to" in at else "")


def read_fee(reader: Reader, name: str, place: Place) -> Fee:
    """One fee; with nothing said, a payee that takes what a line hands it."""
    at = reader.source.mapping(place, FEE)
    if not at:
        return Fee(name)
    if "amount" not in at:
        reader.source.wrong(place, "`amount` is missing.", "Add `amount:`.")
        return Fee(name)
    if quantity.yearly(at["amount"].text) is not None or " a year" in at["amount"].text:
        return _yearly(reader, name, place, at)
    if "count" in at:
        reader.source.wrong(at["count"], "Only a rate a year counts days.", "Write `0.25 % a year`, or drop `count`.")
    return _of(reader, name, at) if "of" in at else _amount(reader, name, at["amount"])


def _amount(reader: Reader, name: str, place: Place) -> Fee:
    term = reader.term(place)
    return Fee(name, amount_usdc_micro=term.value) if term.kind == "money" else Fee(name, due=term)


def _yearly(reader: Reader, name: str, place: Place, at: dict[str, Place]) -> Fee:
    rate = quantity.yearly(at["amount"].text)
    if rate is None:
        reader.source.wrong(at["amount"], "A rate lies between 0 and 100 % a year.", "Write `0.25 % a year`.")
    if "of" not in at:
        reader.source.wrong(place, "A rate is of something.", "Add `of: pool`, or any amount.")
    base = reader.term(at["of"]) if "of" in at else NOTHING
    count = cast(DayCount, reader.choice(at.get("count"), COUNTS, "day count"))
    return Fee(name, rate=rate or Fraction(0), base=base, count=count)


def _of(reader: Reader, name: str, at: dict[str, Place]) -> Fee:
    """A share of an amount, or so much a unit of a measure."""
    if at["of"].text == "inflow":
        return Fee(name, of_inflow=reader.rate(at["amount"]))
    if at["amount"].text.endswith("%"):
        base = reader.term(at["of"])
        return Fee(name, due=Term("times", ratio=reader.rate(at["amount"]), parts=(base,)))
    priced, unit = quantity.tariff(at["amount"].text), reader.names.measures.get(at["of"].text)
    if priced is None:
        reader.source.wrong(at["amount"], "This is no tariff.", "Write `0.08 USDC per kWh` (or Wh, MWh, token).")
        return Fee(name, measure=at["of"].text)
    if unit and priced[1] != unit:
        reader.source.wrong(at["amount"], f"`{at['of'].text}` is measured in {unit}.", f"Price it per {unit}.")
    return Fee(name, per_unit=priced[0], measure=at["of"].text)


def read_hedge(reader: Reader, name: str, place: Place) -> Hedge:
    """One leg of a swap."""
    at = reader.source.mapping(place, HEDGE, ("notional", "pays", "receives"))
    rates = [measure for measure, unit in reader.names.measures.items() if unit == "rate"]
    if "receives" in at:
        reader.source.known(at["receives"], at["receives"].text, rates, "measure of unit rate")
    return Hedge(
        name,
        notional=reader.term(at["notional"]) if "notional" in at else NOTHING,
        pays=reader.rate(at["pays"]) if "pays" in at else Fraction(0),
        receives=at["receives"].text if "receives" in at else "",
        count=cast(DayCount, reader.choice(at.get("count"), _HEDGE_COUNTS, "day count")),
    )

"""The one grammar of amounts and conditions: text to a `Term` or a `Condition`. Total: no loops, it always ends.

    term    = product (("+" | "-") product)*
    product = ratio "x" product | primary
    primary = number unit? | name | function "(" names ")" | ("min" | "max") "(" term ("," term)+ ")" | "(" term ")"

What is known when the deal is read is computed then, each ``x`` with one floor. A bare number takes the unit of what it
stands beside, else dollars.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final, Literal, cast

from penstock.capital.deal import Condition, Term
from penstock.capital.source import TERM_MAX, suggest

SCALES: Final = {"USDC": 10**6, "rate": 10**8, "Wh": 1, "tokens": 1, "count": 1}
"""Units of measures and terms, and how many of a term's whole steps make one of each."""
FUNCTIONS: Final = (
    "due", "owed", "arrears", "interest", "principal", "balance", "face", "undrawn", "written", "payoff", "cash",
    "paid", "was", "total",
)  # fmt: skip
NESTED_MAX: Final = 12
REMEDY: Final = "Write amounts as `500 USDC`, `2 x due(A)`, a measure's name, `max(..)`, with `+` and `-` between them."
_WRITTEN: Final = {
    "USDC": (1, "USDC"), "Wh": (1, "Wh"), "kWh": (10**3, "Wh"), "MWh": (10**6, "Wh"), "token": (1, "tokens"),
    "tokens": (1, "tokens"), "ktokens": (10**3, "tokens"), "Mtokens": (10**6, "tokens"),
}  # fmt: skip
_TOKEN: Final = re.compile(r"\s*(\d[\d_]{0,20}(?:\.\d{1,12})?|[A-Za-z]\w*|[-+(),%])")
_COMPARED: Final = re.compile(r"\b(below|at least)\b")


class Unreadable(ValueError):
    """What cannot be read, and the remedy; becomes a `Mistake` where it is caught."""

    def __init__(self, message: str, remedy: str = REMEDY) -> None:
        super().__init__(message)
        self.message, self.remedy = message, remedy


@dataclass(slots=True)
class Names:
    """What a bare name can mean, each with its unit."""

    measures: Mapping[str, str] = field(default_factory=dict)
    columns: dict[str, str] = field(default_factory=dict)
    amounts: dict[str, str] = field(default_factory=dict)

    def find(self, name: str) -> tuple[str, str]:
        """Kind and unit; a name declared nowhere reads as a measure of no unit, told when the deal is checked."""
        for kind, units in (("column", self.columns), ("amount", self.amounts)):
            if name in units:
                return kind, units[name]
        return "measure", self.measures.get(name, "")


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read: a term, or a number still to be counted in its unit; the unit is empty where nothing tells it."""

    unit: str
    what: Term | Fraction

    def term(self, unit: str) -> Term:
        """The term, a number counted in ``unit`` if it has none of its own."""
        if isinstance(self.what, Term):
            return self.what
        unit = self.unit or unit or "USDC"
        if unit == "rate" and not self.unit and self.what >= 1:
            raise Unreadable("This is no rate.", "Write it in percent, as `5.75 %`.")
        steps = self.what * SCALES[unit]
        if steps.denominator != 1:
            raise Unreadable(f"This is no whole number of the smallest part of {unit}.", "Write fewer decimals.")
        return Term("money", value=int(steps))


def read_term(text: str, names: Names) -> Reading:
    """An amount as written. Raises Unreadable."""
    if len(text) > TERM_MAX:
        raise Unreadable("This is too long.", "Name parts of it under `amounts:`.")
    return _Parser(text, names).whole()


def read_condition(text: str, names: Names) -> Condition:
    """``X below Y`` or ``X at least Y``. Raises Unreadable."""
    parts = _COMPARED.split(text)
    if len(parts) != 3:
        raise Unreadable(f"`{text}` is no condition.", "Write `X below Y` or `X at least Y`.")
    left, right = together([read_term(parts[0], names), read_term(parts[2], names)])
    return Condition(left, parts[1] == "below", right)


def common_unit(readings: list[Reading]) -> str:
    """The one unit of all. Raises Unreadable where two differ."""
    units = sorted({reading.unit for reading in readings if reading.unit})
    if len(units) > 1:
        raise Unreadable(f"{' and '.join(units)} do not go together.", "Use amounts of one unit.")
    return units[0] if units else ""


def together(readings: list[Reading]) -> list[Term]:
    """Terms of one unit. Raises Unreadable."""
    unit = common_unit(readings)
    return [reading.term(unit) for reading in readings]


class _Parser:
    def __init__(self, text: str, names: Names) -> None:
        self.text, self.names, self.depth = text, names, 0
        self.tokens, self.at = list(_tokens(text)), 0

    def whole(self) -> Reading:
        reading = self.sum()
        if self.peek():
            raise Unreadable(f"`{self.text.strip()}` cannot be read at `{self.peek()}`.")
        return reading

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self, token: str = "") -> str:
        taken = self.peek()
        if not taken or (token and taken != token):
            missing = f"`{token}`" if token else "an amount"
            raise Unreadable(f"`{self.text.strip()}` cannot be read: {missing} is missing.")
        self.at += 1
        return taken

    def sum(self) -> Reading:
        """Sums stay flat; a difference closes what stands before it."""
        parts = [self.product()]
        while self.peek() in ("+", "-"):
            if self.take() == "+":
                parts.append(self.product())
            else:
                parts = [_combined("less", [_combined("plus", parts), self.product()])]
        return _combined("plus", parts)

    def product(self) -> Reading:
        self.depth += 1
        if self.depth > NESTED_MAX:
            raise Unreadable("This is nested too deep.", "Name parts of it under `amounts:`.")
        reading = self.primary()
        if self.peek() == "x":
            self.take()
            reading = _times(reading, self.product())
        self.depth -= 1
        return reading

    def primary(self) -> Reading:
        word = self.take()
        if word == "(":
            reading = self.sum()
            self.take(")")
            return reading
        if word[0].isdigit():
            return self.number(Fraction(word.replace("_", "")))
        if not word[0].isalpha() or word == "x":
            negative = "Amounts are not negative." if word == "-" else f"`{self.text.strip()}` cannot be read."
            raise Unreadable(negative)
        return self.function(word) if self.peek() == "(" else self.name(word)

    def number(self, value: Fraction) -> Reading:
        if self.peek() == "%":
            self.take()
            return Reading("rate", value / 100)
        if self.peek() in _WRITTEN:
            scale, unit = _WRITTEN[self.take()]
            return Reading(unit, value * scale)
        return Reading("", value)

    def name(self, name: str) -> Reading:
        if name == "period":
            return Reading("count", Term("period"))
        if name == "inflow":
            return Reading("USDC", Term("inflow"))
        kind, unit = self.names.find(name)
        return Reading(unit, Term(cast(Literal["measure", "column", "amount"], kind), (name,)))

    def function(self, name: str) -> Reading:
        self.take("(")
        if name in ("min", "max"):
            return _combined(cast(Literal["min", "max"], name), self.terms())
        if name not in FUNCTIONS:
            raise Unreadable(f"There is no function `{name}`.", suggest(name, (*FUNCTIONS, "min", "max")))
        names = self.listed()
        if name in ("was", "total") and len(names) > 1:
            raise Unreadable(f"`{name}` is of one measure.", f"Write `{name}({names[0]})`.")
        unit = self.names.measures.get(names[0], "") if name in ("was", "total") else "USDC"
        return Reading(unit, Term(cast(Literal["due"], name), names))

    def terms(self) -> list[Reading]:
        readings = [self.sum()]
        while self.peek() == ",":
            self.take()
            readings.append(self.sum())
        self.take(")")
        if len(readings) < 2:
            raise Unreadable("There is nothing to compare.", "Write `min(a, b)` or `max(a, b)`.")
        return readings

    def listed(self) -> tuple[str, ...]:
        names = [self.take() if self.peek() != ")" else ""]
        while self.peek() == ",":
            self.take()
            names.append(self.take())
        self.take(")")
        if not all(name[:1].isalpha() for name in names) or len(set(names)) < len(names):
            raise Unreadable(f"`{self.text.strip()}` cannot be read.", "Name each once, as `due(A, B)`.")
        return tuple(names)


def _tokens(text: str) -> Iterator[str]:
    at, text = 0, text.strip()
    while at < len(text):
        found = _TOKEN.match(text, at)
        if not found:
            raise Unreadable(f"`{text}` cannot be read at `{text[at:].strip()[:1]}`.")
        yield found[1]
        at = found.end()


def _combined(kind: Literal["plus", "less", "min", "max"], readings: list[Reading]) -> Reading:
    if len(readings) == 1:
        return readings[0]
    unit = common_unit(readings)
    values = [reading.what for reading in readings if isinstance(reading.what, Fraction)]
    if len(values) == len(readings):
        return Reading(unit, _folded(kind, values))
    return Reading(unit, Term(kind, parts=tuple(reading.term(unit) for reading in readings)))


def _folded(kind: str, values: list[Fraction]) -> Fraction:
    if kind == "less":
        return max(values[0] - values[1], Fraction(0))
    return {"plus": lambda: sum(values, Fraction(0)), "min": lambda: min(values), "max": lambda: max(values)}[kind]()


def _times(left: Reading, right: Reading) -> Reading:
    """A ratio times an amount, or dollars times a count."""
    ratio, unit = left.what, right.unit
    if left.unit == "USDC" and unit == "count":
        unit = "USDC"
        ratio = left.what * SCALES["USDC"] if isinstance(left.what, Fraction) else left.what
    elif left.unit not in ("", "rate"):
        raise Unreadable(f"{left.unit} cannot stand before `x`.", "Write `2 x due(A)` or `0.5 % x pool`.")
    if not isinstance(ratio, Fraction):
        raise Unreadable("Before `x` stands a number.", "Write `2 x due(A)` or `0.5 % x pool`.")
    if isinstance(right.what, Fraction):
        return Reading(unit, _floored(ratio * right.what, unit) if right.unit == unit else ratio * right.what)
    if right.what.kind == "times":
        return Reading(unit, Term("times", ratio=ratio * right.what.ratio, parts=right.what.parts))
    return Reading(unit, Term("times", ratio=ratio, parts=(right.what,)))


def _floored(value: Fraction, unit: str) -> Fraction:
    scale = SCALES.get(unit, 0)
    return Fraction(value * scale // 1, scale) if scale else value

"""Mandates as people write them: YAML or JSON, every word known, every figure exact, all mistakes told at once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, Final

import yaml

from penstock.agent.mandate import (
    KINDS,
    SCHEMES,
    Budget,
    Ceilings,
    EnergyRules,
    Mandate,
    QuoteRules,
    Rail,
    TradeRules,
    Venue,
    contradictions,
)
from penstock.errors import Invalid, PenstockError
from penstock.keys.half_character import half_character
from penstock.keys.nesting import deeper_than
from penstock.period import SECOND_US, parse_iso

FORM: Final = "mandate/1"
BYTES_MAX: Final = 32 * 1024
"""No mandate is longer."""
DEPTH_MAX: Final = 8
AMOUNT_MAX: Final = 10**12
QUOTE_AGE_MAX_S: Final = 300
QUOTE_RATIO_MAX: Final = 10
_ADDRESS: Final = re.compile(r"0x[0-9a-fA-F]{40}")
_ASSET: Final = re.compile(r"0x[0-9a-fA-F]{40}|0x[0-9a-fA-F]{64}")
_NETWORK: Final = re.compile(r"eip155:[1-9][0-9]{0,18}")
_KEY: Final = re.compile(r"[0-9a-f]{64}")
_URL: Final = re.compile(r"https?://[^\s/?#@]+(/[^\s?#]*)?")


class BadMandate(Invalid):
    """``mandate.malformed``: all mistakes of a mandate at once, in `mistakes`."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__(
            "mandate.malformed",
            f"The mandate has {len(self.mistakes)} mistake{'s' if len(self.mistakes) != 1 else ''}.",
            hint="Mend each; docs/agents.md explains every word.",
            mistakes="; ".join(self.mistakes),
        )

    def to_json(self) -> dict[str, object]:
        """As every error, by its kind in the tree."""
        return super().to_json() | {"error": Invalid.__name__}


class ContradictoryMandate(Invalid):
    """``mandate.contradicts``: everything that a mandate says twice and differently, in `mistakes`."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        self.mistakes = tuple(mistakes)
        super().__init__(
            "mandate.contradicts",
            "The mandate contradicts itself.",
            hint="Say each thing once; docs/agents.md explains every word.",
            mistakes="; ".join(self.mistakes),
        )

    def to_json(self) -> dict[str, object]:
        """As every error, by its kind in the tree."""
        return super().to_json() | {"error": Invalid.__name__}


def read_mandate(text: str) -> Mandate:
    """The mandate that ``text`` (YAML, or JSON) says.

    Raises:
        Invalid: ``mandate.malformed`` with all mistakes, ``mandate.contradicts`` with all contradictions.
    """
    form = _Form(_parsed(text))
    mandate = _mandate(form)
    if form.mistakes or mandate is None:
        raise BadMandate(form.mistakes)
    if found := contradictions(mandate):
        raise ContradictoryMandate(found)
    return mandate


class _Once(yaml.BaseLoader):
    """Scalars stay text, so that no figure is rounded on the way; no key twice, no aliases."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("an alias")
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        found = super().construct_mapping(node, deep=deep)
        if len(found) != len(node.value):
            raise yaml.YAMLError("a word twice")
        return found


def _parsed(text: str) -> Mapping[str, Any]:
    if len(text.encode("utf-8", "replace")) > BYTES_MAX:
        raise BadMandate([f"it is longer than {BYTES_MAX:,} bytes."])
    if deeper_than(text, DEPTH_MAX) or re.search(r"(?:[-?:]\s+){9}", text):  # the parser takes minutes over such
        raise BadMandate([f"it nests deeper than {DEPTH_MAX} levels."])
    try:
        found = yaml.load(text, Loader=_Once)  # noqa: S506 (derived from BaseLoader, which makes text alone)
        if half_character(text, found):
            raise ValueError("half a character")
    except (yaml.YAMLError, ValueError, RecursionError, TypeError) as error:
        raise BadMandate([f"it is no YAML of plain words, each once: {str(error).splitlines()[0]}."]) from None
    if not isinstance(found, dict):
        raise BadMandate(["it is no list of words with values."])
    return found


@dataclass(slots=True)
class _Form:
    """Reads fields by name, and keeps what is wrong with them."""

    fields: Mapping[str, Any]
    where: str = ""
    mistakes: list[str] = field(default_factory=list)
    known: set[str] = field(default_factory=set)

    def wrong(self, name: str, sentence: str) -> None:
        self.mistakes.append(f"{self.where}{name}: {sentence}")

    def text(self, name: str, pattern: re.Pattern[str] | None = None, what: str = "a word", default: str = "") -> str:
        self.known.add(name)
        found = self.fields.get(name, default)
        if not isinstance(found, str) or (pattern and found != default and not pattern.fullmatch(found)):
            self.wrong(name, f"{what} is asked for, not {found!r}.")
            return default
        return found

    def need(self, name: str, pattern: re.Pattern[str] | None = None, what: str = "a word") -> str:
        found = self.text(name, pattern, what)
        if not found and not any(line.startswith(f"{self.where}{name}:") for line in self.mistakes):
            self.wrong(name, "is missing.")
        return found

    def scaled(self, name: str, scale: int, default: int | None = None, top: int = AMOUNT_MAX) -> int | None:
        """A decimal figure times ``scale``, whole; None or ``default`` where it is not given."""
        self.known.add(name)
        if name not in self.fields:
            return default
        try:
            value = Decimal(str(self.fields[name])) * scale
            whole = int(value) if value.is_finite() and abs(value) <= top * scale else None
        except (InvalidOperation, ValueError, OverflowError):
            whole = None
            value = Decimal(0)
        if whole is None or whole != value or whole < 0:
            self.wrong(name, f"{self.fields[name]!r} is no figure of 0 or more, to a {scale:,}th.")
            return default
        return whole

    def must(self, name: str, scale: int) -> int:
        if name not in self.fields:
            self.known.add(name)
            self.wrong(name, "is missing.")
        return self.scaled(name, scale, 0) or 0

    def instant(self, name: str) -> int:
        try:
            return parse_iso(self.need(name)) if name in self.fields else int(bool(self.need(name)))
        except PenstockError as error:
            self.wrong(name, error.message)
            return 0

    def words(self, name: str, among: Sequence[str] = (), default: tuple[str, ...] = ()) -> tuple[str, ...]:
        self.known.add(name)
        found = self.fields.get(name, list(default))
        if not isinstance(found, list) or not all(isinstance(word, str) for word in found):
            self.wrong(name, "a list of words is asked for.")
            return default
        strange = sorted(set(found) - set(among)) if among else []
        if strange:
            self.wrong(name, f"{', '.join(strange)} is unknown; there are {', '.join(among)}.")
        return tuple(found)

    def below(self, name: str) -> _Form:
        self.known.add(name)
        found = self.fields.get(name, {})
        if not isinstance(found, dict):
            self.wrong(name, "words with values are asked for.")
            found = {}
        return _Form(found, f"{self.where}{name}.", self.mistakes)

    def each(self, name: str) -> list[_Form]:
        self.known.add(name)
        found = self.fields.get(name, [])
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            self.wrong(name, "a list of entries is asked for.")
            return []
        return [_Form(item, f"{self.where}{name}[{place}].", self.mistakes) for place, item in enumerate(found)]

    def end(self) -> None:
        """Whatever nobody asked for is a mistake: a limit that is misspelt must not be no limit."""
        for name in sorted(map(str, self.fields.keys() - self.known)):
            self.wrong(name, "is unknown.")


def _mandate(form: _Form) -> Mandate | None:
    if form.need("penstock") != FORM:
        form.wrong("penstock", f"begin with `penstock: {FORM}`.")
        return None
    valid = form.below("valid")
    mandate = Mandate(
        name=form.need("name"),
        from_us=valid.instant("from"),
        until_us=valid.instant("until"),
        budget=_budget(form),
        ceilings=_ceilings(form.below("price_max_usd")),
        energy=_energy(form.below("energy")),
        venues=tuple(_venue(one) for one in form.each("venues")),
        rails=tuple(_rail(one) for one in form.each("payments")),
        quotes=_quotes(form.below("quotes")),
        trade=_trade(form.below("trade")),
        spender=form.text("spender", _ADDRESS, "an address").lower(),
    )
    valid.end()
    form.end()
    return mandate


def _budget(form: _Form) -> Budget:
    below = form.below("budget_usd")
    call, hour, total = (below.must(name, 10**6) for name in ("call", "hour", "total"))
    below.end()
    asked = form.scaled("ask_above_usd", 10**6, call)
    return Budget(call, hour, total, call if asked is None else asked)


def _ceilings(form: _Form) -> Ceilings:
    found = Ceilings(
        per_1k_tokens_usdc_micro=form.must("per_1k_tokens", 10**6),
        per_accelerator_hour_usdc_micro=form.scaled("per_accelerator_hour", 10**6),
        per_mwh_usdc_micro=form.scaled("per_mwh", 10**6),
    )
    form.end()
    return found


def _energy(form: _Form) -> EnergyRules:
    found = EnergyRules(
        carbon_max_mg_per_kwh=form.scaled("carbon_max_g_per_kwh", 1_000),
        technologies=form.words("technologies"),
        technologies_refused=form.words("technologies_refused"),
        matched_min_bp=form.scaled("matched_min_percent", 100, 0, top=100) or 0,
        max_mj_per_1k_tokens=form.scaled("max_j_per_1k_tokens", 1_000),
    )
    form.end()
    return found


def _venue(form: _Form) -> Venue:
    found = Venue(
        url=form.need("url", _URL, "an http(s) address").rstrip("/"),
        pay_to=form.need("pay_to", _ADDRESS, "an address").lower(),
        key=form.need("key", _KEY, "64 small hexadecimal digits"),
    )
    form.end()
    return found


def _rail(form: _Form) -> Rail:
    found = Rail(
        network=form.need("network", _NETWORK, "eip155:NUMBER"),
        asset=form.need("asset", _ASSET, "an address, or a class of credits").lower(),
        schemes=form.words("schemes", SCHEMES, ("exact",)),
    )
    form.end()
    return found


def _quotes(form: _Form) -> QuoteRules:
    found = QuoteRules(
        age_max_us=(form.scaled("age_max_s", 1, QUOTE_AGE_MAX_S) or 0) * SECOND_US,
        ratio_max=max(2, form.scaled("ratio_max", 1, QUOTE_RATIO_MAX) or 0),
        reference_usdc_micro_per_1k=form.scaled("reference_usd_per_1k_tokens", 10**6),
    )
    form.end()
    return found


def _trade(form: _Form) -> TradeRules:
    found = TradeRules(
        kinds=form.words("kinds", KINDS, ("spot",)),
        exposure_max_usdc_micro=form.scaled("exposure_max_usd", 10**6, 0) or 0,
        edge_min_bp=form.scaled("edge_min_percent", 100, 0) or 0,
    )
    form.end()
    return found

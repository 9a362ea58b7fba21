"""The JSON schema of a deal file, made of the words the language reads: for editors, and for whoever writes deals by
program. It tells words and forms; whether a deal holds together only `language.load_deal` tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from penstock.capital import calendar_words, claim_words, consent_words, covenant_words, tranche_words
from penstock.capital.acts import EXAMPLES, VERBS
from penstock.capital.expression import SCALES
from penstock.capital.language import MEASURE, MEASURES_MAX, REQUIRED, SECTIONS
from penstock.capital.measure_names import DEFINED
from penstock.capital.reader import COUNTS
from penstock.capital.schedule import FORMS
from penstock.rates.calendar import CALENDARS, CONVENTIONS

Schema = dict[str, Any]
DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
_NAME: Final = "^[A-Za-z][A-Za-z0-9_]*$"
_NUMBER: Final = r"\d[\d_]*(\.\d+)?"
_MONEY: Final = f"^{_NUMBER}( USDC)?$"
_RATE: Final = f"^({_NUMBER} ?%|0(\\.\\d+)?)$"
_LINE: Final = f"^({'|'.join(VERBS)}) "


def deal_schema() -> Schema:
    """The schema, as JSON."""
    sections = _sections()
    ordered = {name: sections[name] for name in (*REQUIRED[:1], *SECTIONS, *REQUIRED[1:])}
    return {
        "$schema": DRAFT,
        "title": "Penstock deal",
        "description": "Who is paid, from what, in which order, and what changes when performance is poor.",
        **_closed(ordered, REQUIRED),
    }


def _sections() -> dict[str, Schema]:
    return {
        "deal": _text("The deal's name.", minLength=1),
        "dollar": _one_of("Deals are kept in USDC.", ["USDC"]),
        "calendar": _calendar(),
        "report": _named("What attesters report for each period, signed.", _measure(), most=MEASURES_MAX),
        "schedule": _named("One value a period, computed when the deal is read.", _schedule()),
        "amounts": _named("Amounts with a name of their own.", _term("An amount.")),
        "accounts": _named("Where cash lies; it arrives in the first.", _account()),
        "fees": _named("Who is paid for service; `{}` takes what a line hands it.", _fee()),
        "hedges": _named("Swap legs.", _hedge()),
        "tranches": _named("Claims, most senior first.", _tranche()),
        "tests": _named("Covenants.", _test()),
        "calls": _named("Rights to retire the notes.", _call()),
        "votes": _votes(),
        "pool": _pool(),
        "states": _list("States, from normal to worst; each has its waterfall.", _text("A state.", pattern=_NAME)),
        "waterfall": _named("For each state its lines, in order.", _list("Lines, first to last.", _line())),
    }


def _text(description: str, **more: object) -> Schema:
    return {"type": "string", "description": description, **more}


def _written(description: str, pattern: str = "") -> Schema:
    """A value that YAML may read as a number."""
    return {"type": ["string", "number"], "description": description} | ({"pattern": pattern} if pattern else {})


def _one_of(description: str, values: Iterable[str]) -> Schema:
    return {"description": description, "enum": list(values)}


def _closed(properties: Mapping[str, Schema], required: Iterable[str] = ()) -> Schema:
    found: Schema = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    return found | ({"required": list(required)} if required else {})


def _words(words: Iterable[str], properties: Mapping[str, Schema], required: Iterable[str] = ()) -> Schema:
    """A closed mapping of exactly the words the language reads here. Raises KeyError where one is not described."""
    return _closed({word: properties[word] for word in words}, required)


def _named(description: str, entry: Schema, most: int = 0) -> Schema:
    found: Schema = {"type": "object", "description": description, "additionalProperties": entry}
    found["propertyNames"] = {"pattern": _NAME}
    return found | ({"maxProperties": most} if most else {})


def _list(description: str, item: Schema) -> Schema:
    return {"type": "array", "description": description, "items": item}


def _term(description: str) -> Schema:
    examples = ["500 USDC", "2 x due(A)", "max(0.5 % x pool, 3_000_000 USDC)", "balance(A, B) - pool"]
    return _written(description) | {"examples": examples}


def _condition(description: str) -> Schema:
    pattern = ".+ (below|at least) .+"
    return _text(description, pattern=pattern, examples=["pool below 10 % x face(A)", "period at least 25"])


def _money(description: str) -> Schema:
    return _written(description, _MONEY) | {"minimum": 0, "examples": ["2_000_000 USDC"]}


def _rate(description: str) -> Schema:
    return _written(description, _RATE) | {"minimum": 0, "exclusiveMaximum": 1, "examples": ["5.75 %"]}


def _calendar() -> Schema:
    words = {
        "pays": _one_of("How often.", calendar_words.PAYS),
        "starts": _text("When the first period starts, with its offset.", examples=["2026-01-15T00:00:00Z"]),
        "grace": _text("How long a close waits for its report.", examples=["5 d"]),
        "periods": {
            "type": "integer",
            "minimum": 1,
            "maximum": calendar_words.PERIODS_MAX,
            "description": "How many there are; schedules and business days need it.",
        },
        "business_days": _one_of("Whose business days periods end on.", CALENDARS),
        "convention": _one_of("What becomes of an end that is no business day.", CONVENTIONS),
    }
    return _words(("pays", "starts", *calendar_words.WORDS), words, ("pays", "starts"))


def _measure() -> Schema:
    unit = _one_of("Its unit; a rate is in hundred-millionths.", SCALES)
    words = {
        "unit": unit,
        "of": _text(
            f"What it is; its own name where left out. One of {', '.join(DEFINED)}; of a rate, the mark's name."
        ),
        "over": {"type": "integer", "minimum": 1, "description": "Over how many periods, this one included."},
    }
    return {"anyOf": [unit, _words(("unit", *MEASURE), words, ("unit",))]}


def _schedule() -> Schema:
    text = f"A list, or one of {', '.join(FORMS)}."
    return {"type": ["array", "object"], "description": text}


def _account() -> Schema:
    words = {
        "target": _term("Filled up to this."),
        "releases_to": _text("Where its excess goes; else to the first account."),
    }
    return _words(claim_words.ACCOUNT, words)


def _fee() -> Schema:
    amount = "`40 USDC` a period, `0.08 USDC per kWh`, `2 %` or `0.25 % a year` of something, or any amount."
    words = {
        "amount": _written(amount),
        "of": _term("What it is a share or a price of: a measure, `inflow`, an amount."),
        "count": _one_of("How a rate a year counts days.", COUNTS),
    }
    return _words(claim_words.FEE, words)


def _hedge() -> Schema:
    words = {
        "notional": _term("What it runs on."),
        "pays": _rate("What the deal pays a year."),
        "receives": _text("The measure of unit rate it receives."),
        "count": _one_of("How days are counted.", COUNTS),
    }
    return _words(claim_words.HEDGE, words, ("notional", "pays", "receives"))


def _tranche() -> Schema:
    words = {
        "face": _money("Outstanding at the start."),
        "rate": {"anyOf": [_rate("Fixed, a year."), _text("A schedule's name.", pattern=_NAME), _rate_mapping()]},
        "count": _one_of("How days are counted.", COUNTS),
        "principal": _term("Scheduled a period: dollars, a schedule's name, any amount."),
        "shortfall": _one_of("What becomes of unpaid interest.", tranche_words.SHORTFALLS),
        "residual": {"type": "boolean", "description": "Takes what is left."},
        "notional": _term("What interest runs on instead of a balance."),
        "commitment": _money("What may still be drawn."),
        "legal_final": _text("When it must be repaid.", pattern=r"^\d{4}-\d{2}-\d{2}$"),
        "holders": _list("Investor classes that may hold it; all where left out.", {"type": "integer"}),
    }
    return _words(tranche_words.WORDS, words)


def _rate_mapping() -> Schema:
    step = _closed({"from": _written("A period or a date."), "add": _rate("How much more.")}, ("from", "add"))
    words = {
        "index": _text("A measure of unit rate."),
        "fixed": _rate("A rate a year."),
        "margin": _rate("On top of the index."),
        "floor": _rate("At least."),
        "cap": _rate("At most."),
        "step_up": {"anyOf": [step, _list("Step-ups, in order.", step)]},
    }
    return _words(("index", "fixed", *tranche_words.FLOATING), words)


def _test() -> Schema:
    words = {
        "value": _term("What is compared."),
        "against": _term("With what."),
        "cure": _text("When it releases.", pattern=r"^after \d{1,2} clean periods?$"),
        "stale": _text("The state without a fresh report."),
        "sticky": _text("From this state up there is no way back."),
        "only_if": _condition("It asks for nothing unless this holds."),
    }
    found = _words(covenant_words.TEST, words, ("value", "against", "cure"))
    level = _text("A state, and when it is asked for.", pattern=rf"^(below|above) {_NUMBER}$", examples=["below 1.20"])
    return found | {"additionalProperties": level}


def _call() -> Schema:
    words = {
        "when": _condition("When it may be exercised."),
        "price": _term("What must have come in."),
        "state": _text("The state it leads to."),
    }
    return _words(covenant_words.CALL, words, covenant_words.CALL)


def _votes() -> Schema:
    words = {
        "classes": _list("Tranches that vote.", _text("A tranche.")),
        "share": _rate("Of all shares of each of them."),
    }
    vote = _words(consent_words.VOTE, words, consent_words.VOTE)
    return {"description": "Who must consent to what."} | _closed(dict.fromkeys(consent_words.VOTES, vote))


def _pool() -> Schema:
    share = _rate("A share.")
    words = {
        "assurance": _text("Readings behind an asset.", enum=[f"at least {one}" for one in consent_words.LEVELS]),
        "past_due": _text("Oldest arrears.", examples=["at most 60 d"]),
        "advance": _closed(dict.fromkeys((*consent_words.LEVELS, "other"), share)),
        "caps": _closed(dict.fromkeys(consent_words.CAPS, share)),
        "related": {"type": "boolean", "description": "Whether assets of a related party count."},
        "tail": _text("By how much a contract outlives the last legal final.", examples=["180 d"]),
    }
    return {"description": "Which assets count, for how much."} | _words(consent_words.POOL, words)


def _line() -> Schema:
    return _text("A line of a waterfall.", pattern=_LINE, examples=list(EXAMPLES), defaultSnippets=_snippets())


def _snippets() -> list[Schema]:
    """Lines an editor offers."""
    return [{"label": line.split(" ")[0], "description": line, "body": line} for line in EXAMPLES]

"""The language of deals under attack: amounts and conditions alone, and whole files up to the program they become."""

from __future__ import annotations

from pathlib import Path

from fuzz_kit import Target, must

from penstock.capital.compile import canonical_json, compile_deal
from penstock.capital.deal import Deal, Term
from penstock.capital.expression import FUNCTIONS, Names, Unreadable, read_condition, read_term
from penstock.capital.language import load_deal
from penstock.capital.mistake import MalformedDeal
from penstock.errors import Refused

ROOT = Path(__file__).parents[2]
FILES = (ROOT / "examples/deals/first.yaml", ROOT / "tests/contracts/four_tranches.yaml")
EVERY = ROOT / "tests/capital/every_word.yaml"
NAMES = Names({"pool": "USDC", "energy": "Wh", "sofr": "rate"}, {"plan": "USDC"}, {"gap": "USDC"})
TERMS = (
    b"0.5 % x 1_165_000_005.66 USDC",
    b"max(0.5 % x pool, 3_000_000 USDC) - (balance(A, B) + 2 x gap)",
    b"40 USDC x period below min(plan, inflow, undrawn(D))",
    b"5.75 % at least sofr",
    b"1 MWh + was(energy) - total(energy)",
)


def deal_term(raw: bytes) -> bool:
    text = raw.decode("utf-8", "replace")
    found = False
    try:
        total(read_term(text, NAMES).term(""), 0)
        found = True
    except Unreadable as error:
        must(error.message and error.remedy, "a mistake comes with its remedy")
    try:
        condition = read_condition(text, NAMES)
    except Unreadable:
        return found
    total(condition.left, 0)
    total(condition.right, 0)
    return True


def total(term: Term, depth: int) -> None:
    """Whole numbers that are not negative, names once each, parts of a bounded depth."""
    must(depth < 40, "nested without bound")
    must(type(term.value) is int and term.value >= 0 and term.ratio >= 0, "nothing is negative")
    must(len(set(term.names)) == len(term.names), "a name stands once")
    must((term.kind in FUNCTIONS) <= bool(term.names), "a function is of something")
    for part in term.parts:
        total(part, depth + 1)


def deal_text(raw: bytes) -> bool:
    try:
        deal = load_deal(raw.decode("utf-8", "replace"))
    except MalformedDeal as malformed:
        must(all(one.message and one.remedy and one.line > 0 for one in malformed.mistakes), "line, mistake, remedy")
        must(malformed.mistakes, "what is refused has a mistake")
        return False
    held(deal)
    must(canonical_json(deal), "an accepted deal has a form")
    try:
        program = compile_deal(deal)
    except Refused as refused:
        must(refused.code.startswith("program."), f"another code: {refused.code}")
        return True
    must(program.code == compile_deal(deal).code, "one deal, one program")
    return True


def held(deal: Deal) -> None:
    """What every deal that was read holds to."""
    must(all(0 <= value < 2**62 for column in deal.schedule for value in column.values), "columns fit the chain")
    must(len(set(deal.payees)) == len(deal.payees), "a payee has one name")
    must(all(acts for _, acts in deal.waterfalls), "every state has its lines")
    for amount in deal.amounts:
        total(amount.term, 0)


def texts() -> list[bytes]:
    return [*(path.read_bytes() for path in FILES), EVERY.read_bytes()]


DEALS: dict[str, Target] = {
    "deal_term": Target(lambda: list(TERMS), deal_term, longest=512),
    "deal_text": Target(texts, deal_text, share=0.1, longest=8_192),
}

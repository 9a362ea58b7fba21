"""One meaning per word: the glossary defines each once, in order, and leans only on words it defines."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from penstock.journal.kinds import KINDS

ENTRY = re.compile(r"^\*\*(.+?)\*\* (.+)$", re.MULTILINE)
MENTION = re.compile(r"(?<!\*)\*([^*\n]+)\*(?!\*)")
# The words the design itself fixes: without them the documents cannot be read.
CORE = {
    *("act", "anchor", "attester", "audit", "block", "bundle", "carbon credit", "certificate", "checkpoint", "claim"),
    *("credit", "curve", "deal", "epoch", "fact", "GRID", "head", "journal", "Kwh", "law", "lift", "link", "lock"),
    *("loss span", "lower", "measure", "measuring point", "PoGG", "pool", "reading", "register", "right", "segment"),
    *("sequencer", "series", "span", "title", "trace", "tranche", "upcaster", "waterfall", "window", "withdraw"),
}


@pytest.fixture
def entries(root: Path) -> list[tuple[str, str]]:
    return ENTRY.findall((root / "GLOSSARY.md").read_text("utf-8"))


def natural(term: str) -> list[tuple[int, str]]:
    """Sorts case-blind, and numbers by their size."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", term.casefold())]


def bare(mention: str) -> str:
    return re.sub(r"('s|s)$", "", mention.casefold())


def test_each_word_is_defined_once_and_in_order(entries: list[tuple[str, str]]) -> None:
    terms = [term for term, _ in entries]
    wrong = [f"{b} after {a}" for a, b in pairwise(terms) if natural(a) >= natural(b)]
    assert not wrong, f"repeated or out of order: {wrong}"


def test_the_words_of_the_design_are_defined(entries: list[tuple[str, str]]) -> None:
    missing = CORE - {term for term, _ in entries}
    assert not missing, f"define in GLOSSARY.md: {sorted(missing)}"


def test_definitions_lean_on_defined_words(entries: list[tuple[str, str]]) -> None:
    known = {bare(term) for term, _ in entries}
    loose = [f"{term}: {word}" for term, text in entries for word in MENTION.findall(text) if bare(word) not in known]
    assert not loose, f"in italics, but without an entry: {loose}"


def test_what_facts_and_contracts_are_named_for_is_defined(root: Path, entries: list[tuple[str, str]]) -> None:
    known = {bare(term) for term, _ in entries}
    facts = {kind.KIND.split(".")[0] for kind in KINDS}
    contracts = {path.stem for path in (root / "contracts").glob("*.vy")}
    missing = [word for word in sorted(facts | contracts) if bare(word) not in known]
    assert contracts
    assert facts
    assert not missing, f"define in GLOSSARY.md: {missing}"

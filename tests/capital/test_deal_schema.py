"""The published schema: made of the words; every example fits; a wrong word fits neither it nor the reader."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest
import yaml

from penstock.capital.deal_schema import deal_schema
from penstock.capital.language import load_deal
from penstock.capital.mistake import MalformedDeal

ROOT = Path(__file__).parents[2]
PUBLISHED = ROOT / "docs" / "deal.schema.json"
FILES = (*sorted((ROOT / "examples" / "deals").glob("*.yaml")), Path(__file__).with_name("every_word.yaml"))


class Plain(yaml.SafeLoader):
    """As editors read YAML: times stay text."""


Plain.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def read(path: Path) -> Any:
    return yaml.load(path.read_text(), Loader=Plain)  # noqa: S506 - a SafeLoader


def faults(document: Any) -> list[str]:
    return [fault.message for fault in jsonschema.Draft202012Validator(deal_schema()).iter_errors(document)]


def test_the_published_schema_is_the_one_made_of_the_words() -> None:
    assert json.loads(PUBLISHED.read_text()) == deal_schema(), "run `penstock deal schema > docs/deal.schema.json`"
    jsonschema.Draft202012Validator.check_schema(deal_schema())


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_example_fits_the_schema_names_it_and_is_read(path: Path) -> None:
    assert faults(read(path)) == []
    assert path.read_text().startswith("# yaml-language-server: $schema=../../docs/deal.schema.json\n")
    assert load_deal(path.read_text()).tranches


@pytest.mark.parametrize(
    ("section", "entry", "word", "value"),
    [
        ("tranches", "A", "raet", "5 %"),
        ("tranches", "A", "shortfall", "forgive"),
        ("tranches", "A", "face", "lots"),
        ("tranches", "A", "legal_final", "next year"),
        ("tests", "dscr", "lockup", "< 1.2"),
        ("tests", "dscr", "cure", "soon"),
        ("fees", "servicer", "amuont", 5),
        ("hedges", "swap", "receives", None),
        ("calls", "cleanup", "when", "soon"),
        ("votes", "waiver", "share", 8),
        ("pool", "caps", "colour", "5 %"),
        ("report", "ltm", "unit", "EUR"),
    ],
)
def test_a_wrong_word_fits_neither_schema_nor_reader(section: str, entry: str, word: str, value: object) -> None:
    document = read(FILES[-1])
    document[section][entry][word] = value
    assert faults(document)
    with pytest.raises(MalformedDeal):
        load_deal(yaml.safe_dump(document))


def test_a_deal_written_by_program_is_read_alike() -> None:
    document = read(FILES[-1])
    again = load_deal(yaml.safe_dump(document, sort_keys=False))
    assert replace(again, waterfalls=()) == replace(load_deal(FILES[-1].read_text()), waterfalls=())


@pytest.mark.parametrize("line", ["pya A.interest", "pay", "hold all in trap"])
def test_a_line_begins_with_a_verb(line: str) -> None:
    document = read(FILES[-1])
    document["waterfall"]["normal"].append(line)
    assert len(faults(document)) == (0 if line.startswith("hold") else 1)

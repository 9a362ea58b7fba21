"""A deal's text under attack: whatever its size allows is refused with its line, and the work stays in proportion."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from penstock.capital import source
from penstock.capital.language import ENTRIES_MAX, load_deal
from penstock.capital.mistake import MalformedDeal

BASE = (Path(__file__).parents[2] / "examples/deals/first.yaml").read_text()


def refused(text: str) -> MalformedDeal:
    with pytest.raises(MalformedDeal) as caught:
        load_deal(text)
    assert all(one.line > 0 and one.message and one.remedy for one in caught.value.mistakes)
    return caught.value


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many entries are looked at while a text is read."""
    seen = [0]
    enter = source.Source._enter

    def entering(self: source.Source, *rest: object) -> None:
        seen[0] += 1
        enter(self, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(source.Source, "_enter", entering)
    yield seen


@pytest.mark.parametrize(
    ("section", "entry"),
    [("tranches", "{face: 1 USDC}"), ("accounts", "{}"), ("fees", "{amount: 1 USDC}"), ("tests", "{value: inflow}")],
)
def test_a_section_of_thousands_is_refused_without_holding_each_against_all(
    monkeypatch: pytest.MonkeyPatch, section: str, entry: str
) -> None:
    many = "".join(f"  t{i}: {entry}\n" for i in range(2_000))
    kept = [line for line in BASE.split("\n\n") if not line.lstrip().startswith(f"{section}:")]
    text = "\n\n".join(kept).replace(f"\n{section}:", "\nwas_here:") + f"\n{section}:\n{many}"
    with counted(monkeypatch) as seen:
        mistakes = refused(text).mistakes
    assert any(f"at most {ENTRIES_MAX} entries" in one.message for one in mistakes)
    assert seen[0] < 100_000


@pytest.mark.parametrize("name", ["ab\u202ecd", "x" * 101, "a\u200bb"])
def test_a_title_shows_what_it_is(name: str) -> None:
    text = BASE.replace("deal: First Light", f"deal: {name}")
    assert name in text
    assert [one.path for one in refused(text).mistakes] == ["deal"]


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"x{i}: &x{i} [{','.join([f'*x{i - 1}'] * 10 if i else ['1'] * 10)}]\n" for i in range(12)) + BASE,
        "deal: &a [*a]\n" + BASE,
        "accounts: &a {collect: *a}\n" + BASE,
        "<<: {a: 1}\n" + BASE,
        '!!python/object/apply:os.system ["x"]',
        "[" * 30_000,
        "? " * 20_000,
        BASE + "\n---\n" + BASE,
        BASE + "\namounts:\n  a: " + "(" * 400 + "1 USDC" + ")" * 400,
        BASE + "\namounts:\n  a: " + "2 x " * 200 + "1 USDC",
        BASE + "\namounts:\n  a: " + "9" * 5_000 + " USDC",
        BASE + "\namounts:\n  a0: 1 USDC\n" + "".join(f"  a{i}: a{i - 1} + a{i - 1}\n" for i in range(1, 31)),
    ],
    ids=[
        "aliases", "alias of itself", "mapping in itself", "merge", "tag", "flow", "questions", "documents",
        "parentheses", "factors", "digits", "doubling",
    ],
)  # fmt: skip
def test_a_bomb_is_refused(text: str) -> None:
    refused(text)

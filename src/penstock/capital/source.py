"""YAML text as places that know their line: mappings, lists and raw scalars, with every mistake collected."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final

import yaml

from penstock.capital.mistake import MalformedDeal, Mistake

TEXT_MAX: Final = 65_536  # characters
DEPTH_MAX: Final = 16  # mappings and lists within each other
TERM_MAX: Final = 1000  # characters of one amount
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")


@dataclass(frozen=True, slots=True)
class Place:
    """A node of the text, the path that leads to it, and its line from 1: that of its name where it has one."""

    node: yaml.Node
    path: str
    line: int

    @property
    def text(self) -> str:
        """A scalar as it was written; empty for a mapping or list."""
        return self.node.value.strip() if isinstance(self.node, yaml.ScalarNode) else ""

    @property
    def is_mapping(self) -> bool:
        """Whether names and values stand here."""
        return isinstance(self.node, yaml.MappingNode)

    @property
    def is_list(self) -> bool:
        """Whether items stand here."""
        return isinstance(self.node, yaml.SequenceNode)

    def under(self, name: str, node: yaml.Node, named: yaml.Node | None = None) -> Place:
        """The place ``name`` below this one; ``named`` is where the name stands."""
        mark = (named or node).start_mark
        return Place(node, f"{self.path}.{name}" if self.path else name, int(mark.line) + 1)


@dataclass(slots=True)
class Source:
    """Reads places; what is wrong is noted in ``mistakes`` and reading goes on."""

    mistakes: list[Mistake] = field(default_factory=list)

    def wrong(self, place: Place, message: str, remedy: str) -> None:
        """Note a mistake."""
        self.mistakes.append(Mistake(place.line, place.path or "deal", message, remedy))

    def mapping(
        self, place: Place, keys: Iterable[str] | None = None, required: Iterable[str] = ()
    ) -> dict[str, Place]:
        """The entries of a mapping by name; ``keys`` limits the names. Duplicates and unknown names are mistakes."""
        if not isinstance(place.node, yaml.MappingNode):
            self.wrong(place, "This is not a mapping of names to values.", "Write it as `name: value` lines.")
            return {}
        entries: dict[str, Place] = {}
        for key, value in _rejoined(place.node.value):
            self._enter(entries, place, key, value, None if keys is None else [*keys, *required])
        for name in required:
            if name not in entries:
                self.wrong(place, f"`{name}` is missing.", f"Add `{name}:`.")
        return entries

    def _enter(
        self, entries: dict[str, Place], place: Place, key: yaml.Node, value: yaml.Node, known: list[str] | None
    ) -> None:
        name = Place(key, "", 1).text
        here = place.under(name or "?", value, key)
        if not _NAME.fullmatch(name):
            self.wrong(place.under(name or "?", key), "This is no name.", "Names are letters, digits and _.")
        elif name in entries:
            self.wrong(place.under(name, key), f"`{name}` stands twice.", "Keep one of them.")
        elif known is not None and name not in known:
            self.wrong(place.under(name, key), f"`{name}` means nothing here.", suggest(name, known))
        else:
            entries[name] = here

    def items(self, place: Place) -> list[Place]:
        """The entries of a list."""
        if not isinstance(place.node, yaml.SequenceNode):
            self.wrong(place, "This is not a list.", "Write one `- item` a line.")
            return []
        return [place.under(str(i), node) for i, node in enumerate(place.node.value)]

    def known(self, place: Place, name: str, names: Iterable[str] | Mapping[str, object], what: str) -> bool:
        """Whether ``name`` is among ``names``; a mistake where not."""
        if name in names:
            return True
        self.wrong(place, f"There is no {what} `{name}`.", suggest(name, names))
        return False


def compose(text: str) -> Place:
    """The root of a YAML text.

    Raises:
        MalformedDeal: where the text is no YAML, empty, or longer than 65,536 characters.
    """
    if len(text) > TEXT_MAX:
        raise MalformedDeal([Mistake(1, "deal", "The text is too long.", f"Keep it below {TEXT_MAX:,} characters.")])
    try:
        _refuse_depth(text)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as problem:
        line = problem.problem_mark.line + 1 if problem.problem_mark else 1
        raise MalformedDeal(
            [Mistake(line, "deal", f"The text is no YAML: {problem.problem}.", "Check indents, colons and quotes.")]
        ) from None
    except (yaml.YAMLError, ValueError):
        raise MalformedDeal([Mistake(1, "deal", "The text is no YAML.", "Check for odd characters.")]) from None
    if root is None:
        raise MalformedDeal([Mistake(1, "deal", "The text is empty.", "Start from examples/deals/first.yaml.")])
    return Place(root, "", 1)


def _rejoined(pairs: list[tuple[yaml.Node, yaml.Node]]) -> list[tuple[yaml.Node, yaml.Node]]:
    """Pairs with terms made whole. Within braces a comma ends a value, so that ``{price: payoff(A, B)}`` is to YAML a
    value and a name without one; where a parenthesis is open the two belong together.
    """
    whole: list[tuple[yaml.Node, yaml.Node]] = []
    for key, value in pairs:
        if whole and _open(whole[-1][1]) and _bare(key) and _bare(value) and not value.value:
            before = whole[-1][1]
            text = f"{before.value}, {key.value}"
            whole[-1] = (whole[-1][0], yaml.ScalarNode(before.tag, text, before.start_mark, key.end_mark))
        else:
            whole.append((key, value))
    return whole


def _bare(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and not node.style


def _open(node: yaml.Node) -> bool:
    return _bare(node) and len(node.value) < TERM_MAX and node.value.count("(") > node.value.count(")")


def _refuse_depth(text: str) -> None:
    """The composer recurses; a text nested deeper than any deal is stopped before it."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH_MAX:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise MalformedDeal([Mistake(line, "deal", "The text is nested too deep.", "Check the brackets.")])


def suggest(name: str, names: Iterable[str]) -> str:
    """The remedy for a wrong name: the closest right one, or all."""
    choices = list(names)
    close = get_close_matches(name, choices, 1)
    if close:
        return f"Did you mean `{close[0]}`?"
    return f"Choose one of: {', '.join(choices)}." if choices else "Declare it first."

"""Lines on a terminal: titles, sentences, pairs, commands, small tables.

Nothing is wider than 100 columns, so that nothing is cut; names from files are printed as they are, never as markup.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from penstock.cli.show import console

WIDTH: Final = 100
_INDENT: Final = "  "
_WORD: Final = 11


def head(title: str, tail: str) -> None:
    """A bold title, and what stands dim behind it."""
    from rich.text import Text

    console().print(Text("\n").append(title, "bold").append(f"  {tail}" if tail else "", "dim"))


def line(said: str) -> None:
    """A sentence, wrapped."""
    _wrapped(said, _INDENT)


def pair(word: str, said: str, style: str = "dim") -> None:
    """A word and what is said of it."""
    _wrapped(said, f"{_INDENT}{word:<{_WORD}} ", style)


def do(command: str, why: str) -> None:
    """A command on a line of its own, never broken, so that it can be copied."""
    from rich.text import Text

    console().print(Text(f"{_INDENT}{command}").append(f"  # {why}", "dim"), soft_wrap=True)


def _wrapped(said: str, lead: str, style: str = "") -> None:
    """Lines of at most ``WIDTH`` columns, the later ones indented like the first; a long word is never broken."""
    from textwrap import wrap

    from rich.text import Text

    lines = wrap(said, WIDTH - len(lead), break_long_words=False, break_on_hyphens=False) or [""]
    for place, one in enumerate(lines):
        console().print(Text(lead if not place else " " * len(lead), style).append(one, "default"), soft_wrap=True)


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[int] = ()) -> None:
    """A small table, indented; nothing in it is cut."""
    from rich import box
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0), header_style="dim")
    for place, head in enumerate(heads):
        drawn.add_column(Text(head), justify="right" if place in right else "left", no_wrap=True)
    for row in rows:
        drawn.add_row(*(Text(cell) for cell in row))
    console().print(Padding(drawn, (0, 0, 0, len(_INDENT)), expand=False))

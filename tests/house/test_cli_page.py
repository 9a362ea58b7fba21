"""`docs/cli.md` has a section for every command, and names each of its options and arguments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import typer.main
from typer.core import TyperGroup

from penstock.cli.main import app

SECTION = re.compile(r"^## `penstock ([a-z -]+)`\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def commands(command: object, path: tuple[str, ...] = ()) -> Iterator[tuple[str, set[str]]]:
    """Each command that does something, with what may be given to it; hidden options are nobody's business."""
    if isinstance(command, TyperGroup):
        for name, below in command.commands.items():
            yield from commands(below, (*path, name))
        return
    given = {
        max(one.opts, key=len) if one.param_type_name == "option" else str(one.name)
        for one in getattr(command, "params", [])
        if not getattr(one, "hidden", False) and one.name != "help"
    }
    yield " ".join(path), given


def test_the_page_has_a_section_for_each_command(root: Path) -> None:
    listed = [name for name, _ in SECTION.findall((root / "docs" / "cli.md").read_text("utf-8"))]
    found = dict(commands(typer.main.get_command(app)))
    assert {"demo", "trace answer"} <= found.keys()
    assert sorted(listed) == sorted(found), "docs/cli.md: one section `## `penstock NAME`` a command"


def test_a_section_names_every_option_and_argument(root: Path) -> None:
    sections = dict(SECTION.findall((root / "docs" / "cli.md").read_text("utf-8")))
    findings = [
        f"{name}: {given}"
        for name, all_given in commands(typer.main.get_command(app))
        for given in sorted(all_given)
        if f"`{given}" not in sections.get(name, "")
    ]
    assert not findings, f"docs/cli.md leaves out: {findings}"


def test_a_section_names_no_option_that_is_not_there(root: Path) -> None:
    found = dict(commands(typer.main.get_command(app)))
    findings = [
        f"{name}: {option}"
        for name, text in SECTION.findall((root / "docs" / "cli.md").read_text("utf-8"))
        for option in re.findall(r"^\| `(--[a-z-]+)", text, re.MULTILINE)
        if option not in found.get(name, set())
    ]
    assert not findings, f"docs/cli.md invents: {findings}"

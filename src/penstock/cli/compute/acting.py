"""What the verbs on capacity share: an act done once under its key, and what became of it, shown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli.show import emit, table

if TYPE_CHECKING:
    from penstock.usecases.world import World

Key = Annotated[str, typer.Option(help="The same key again records nothing and tells what it did.")]
Row = dict[str, Any]
Look = Callable[["World"], Any]


def act(workspace: Path, key: str, asked: Any, as_json: bool, name: str, look: Look) -> None:
    """Do what is asked, and show the row or rows that ``look`` finds, under ``name``."""
    from penstock.connect.spool import now_us
    from penstock.usecases.compute.desk import act_on
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace) as opened:
        told = act_on(opened, key or f"compute:{type(asked).__name__}:{opened.store.size()}", asked, now_us())
        told |= {name: opened.read(look)}
    emit(told, as_json, lambda: draw(name, told[name]))


def look_at(workspace: Path, as_json: bool, name: str, look: Look) -> None:
    """Show the row or rows that ``look`` finds."""
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        found = opened.read(look)
    emit({name: found}, as_json, lambda: draw(name, found))


def draw(name: str, found: Row | list[Row]) -> None:
    """A row field by field, also where it is the only one; rows in a table."""
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    if isinstance(found, dict):
        cells = [(field, _text(value)) for field, value in found.items()]
        table(name, ("field", "value"), cells)
        return
    heads = tuple(found[0]) if found else ("none",)
    numbers = [place for place, head in enumerate(heads) if found and isinstance(found[0][head], int)]
    table(f"{len(found)} {name}", heads, [[_text(row[head]) for head in heads] for row in found], numbers)


def _text(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def named(rows: str, *args: Any) -> Look:
    """A look at rows of `penstock.usecases.compute.rows`, imported when it is needed."""

    def look(world: World) -> Any:
        from penstock.usecases.compute import rows as found

        return getattr(found, rows)(world, *args)

    return look

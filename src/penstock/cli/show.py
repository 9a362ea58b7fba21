"""What a command shows: JSON for machines on stdout, tables for people, progress on stderr.

Rich is imported only when something is drawn.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

Workspace = Annotated[Path, typer.Option("--workspace", "-w", help="The workspace folder.", show_default=True)]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object on stdout, nothing else there.")]
HERE = Path("workspace")


def console() -> Console:
    """Where people read: stdout, without colour when piped or where NO_COLOR is set."""
    from rich.console import Console

    class Piped(Console):
        """A console that leaves a closed pipe to the command, whose exit code says so."""

        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return Piped(highlight=False, width=None if sys.stdout.isatty() else 120)


def emit(value: Mapping[str, Any], as_json: bool, draw: Callable[[], None]) -> None:
    """``value`` as one JSON object, or whatever ``draw`` draws."""
    if as_json:
        sys.stdout.write(json.dumps(value, default=str) + "\n")
    else:
        draw()


def table(title: str, heads: Sequence[str], rows: Sequence[Sequence[object]], right: Sequence[int] = ()) -> None:
    """A table; columns named in ``right`` are numbers."""
    from rich.table import Table

    drawn = Table()
    for place, head in enumerate(heads):
        drawn.add_column(head, justify="right" if place in right else "left", no_wrap=place in right)
    for row in rows:
        drawn.add_row(*[str(cell) for cell in row])
    out = console()
    out.print(title, style="bold", soft_wrap=True)
    out.print(drawn)


@contextmanager
def progress(label: str, total: int, quiet: bool = False) -> Iterator[Callable[[int], None]]:
    """A bar on stderr with count, total and time left; silent when stderr is piped or ``quiet``."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    hidden = quiet or not sys.stderr.isatty()
    columns = (TextColumn("{task.description:<34}"), BarColumn(30), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=hidden) as bar:
        task = bar.add_task(label, total=total)
        yield lambda steps: bar.advance(task, steps)


@contextmanager
def counting(label: str, quiet: bool = False) -> Iterator[Callable[[int, int], None]]:
    """As `progress`, with the rate beside it, told how many are done of how many."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    hidden = quiet or not sys.stderr.isatty()
    rate = TextColumn("{task.fields[rate]}")
    columns = (TextColumn("{task.description:<34}"), BarColumn(30), MofNCompleteColumn(), rate, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=hidden) as bar:
        task = bar.add_task(label, total=None, rate="")

        def tell(done: int, of: int) -> None:
            speed = done / max(bar.tasks[task].elapsed or 0.0, 1e-3)
            bar.update(task, completed=done, total=of, rate=f"{speed:,.0f}/s")

        yield tell


def usdc(micro: int) -> str:
    """Micro-dollars for people: two decimals, cents cut off towards zero; the exact figure is in ``--json``."""
    sign, whole = ("-" if micro < 0 else ""), abs(micro)
    return f"{sign}${whole // 1_000_000:,}.{whole % 1_000_000 // 10_000:02d}"


def kwh(wh: int) -> str:
    """Watt-hours for people."""
    return f"{wh / 1_000:,.1f} kWh"

"""`penstock trace`: from an answer back to the roofs and forward to the coupons; from a reading forward."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from penstock.cli.show import HERE, AsJson, Workspace, console, emit

app = typer.Typer(help="Follow a unit through the whole chain.", no_args_is_help=True, rich_markup_mode=None)
RACK = "rack-1"


Named = Annotated[str, typer.Argument(help="Its number, from 0; or RACK:NUMBER; or the id of its payment, in hex.")]


@app.command()
def answer(
    number: Named,
    rack: Annotated[str, typer.Option(help="The rack that gave it.")] = RACK,
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Where an answer's energy came from, and where its dollars went."""
    from penstock.usecases.find_answer import find_answer
    from penstock.usecases.prove import trace_answer
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        named, found = find_answer(opened, number, rack)
        origin, future = trace_answer(opened, named, found)
    shown = {"rack": named, "answer": found, "back": plain(origin), "forward": plain(future)}

    def both() -> None:
        draw(f"answer {found} of {named}: where its energy came from", origin)
        draw("where its dollars went", future)

    emit(shown, as_json, both)


@app.command()
def reading(
    register: Annotated[str, typer.Argument(help="A register, such as roof-001/export.")],
    start: Annotated[int, typer.Argument(help="First position.", min=0)],
    stop: Annotated[int, typer.Argument(help="Position behind the last.", min=0)],
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """What the units of a reading became."""
    from penstock.usecases.prove import trace_reading
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        future = trace_reading(opened, register, start, stop)
    emit({"forward": plain(future)}, as_json, lambda: draw(f"{register}: what it became", future))


@app.command()
def bundle(
    number: Named,
    out: Annotated[Path, typer.Option(help="The file to write.")] = Path("bundle.json"),
    rack: Annotated[str, typer.Option(help="The rack that gave it.")] = RACK,
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Write the proof bundle of an answer, for `penstock verify`."""
    from penstock.usecases.find_answer import find_answer
    from penstock.usecases.prove import write_bundle
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        size = write_bundle(opened, *find_answer(opened, number, rack), out)
    emit({"file": str(out), "bytes": size}, as_json, lambda: console().print(f"{out}: {size:,} bytes"))


def plain(node: Any) -> dict[str, Any]:
    """A lineage as plain values."""
    return {
        "register": node.register,
        "unit": node.unit.value,
        "start": node.start,
        "stop": node.stop,
        "part": node.part,
        "link": node.link.value if node.link else None,
        "state": node.state,
        "notes": list(node.notes),
        "gap": node.gap,
        "folded": node.folded,
        "folded_part": node.folded_part,
        "children": [plain(child) for child in node.children],
    }


def draw(title: str, node: Any) -> None:
    """A lineage as a tree on stdout."""
    from rich.tree import Tree

    from penstock.trace.tree_text import label

    def grow(branch: Tree, at: Any) -> None:
        for child in at.children:
            grow(branch.add(label(child)), child)
        if at.folded:
            branch.add(f"... and {at.folded:,} more")

    root = Tree(f"[bold]{title}[/bold]\n{label(node)}")
    grow(root, node)
    console().print(root)

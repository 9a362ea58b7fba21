"""`penstock store`: a journal begun, what lies on the disk, files put together, old and people's readings erased."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from penstock.cli.command import PassphraseFile
from penstock.cli.show import HERE, AsJson, Workspace, emit, table

app = typer.Typer(help="Journals begun; segments kept.", no_args_is_help=True, rich_markup_mode=None)


@app.command()
def init(
    origin: Annotated[str, typer.Option(help="What the log is called, as registry.example/certificates.")],
    log_key: Annotated[
        Path | None, typer.Option(help="The file of the key that signs its checkpoints; else keys/log.json here.")
    ] = None,
    passphrase_file: PassphraseFile = None,
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Begin a journal: its name, and the key that signs its checkpoints, made and sealed if there is none yet."""
    from penstock.cli.command import passphrase
    from penstock.usecases.open_log import open_log
    from penstock.usecases.workspace import KEYS_FOLDER
    from penstock.usecases.workspace import Workspace as Opened

    file = log_key or workspace / KEYS_FOLDER / "log.json"
    given = passphrase(passphrase_file)
    with Opened(workspace) as opened:
        found = open_log(opened, origin, file, given, _now_us())
    emit(found, as_json, lambda: table(origin, ("field", "value"), list(found.items())))


@app.command()
def status(workspace: Workspace = HERE, as_json: AsJson = False) -> None:
    """Segments, files, rows and bytes by format."""
    from penstock.usecases.store_status import store_status

    found = store_status(workspace)
    emit(found, as_json, lambda: _draw(found))


@app.command()
def compact(
    rows: Annotated[int, typer.Option("--rows", help="Files of so many rows are large.", min=2)] = 262_144,
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Put small files of one format together; no fact and no root changes."""
    from penstock.usecases.compact import compact as put_together

    _show(put_together(workspace, _now_us(), rows), as_json, "compacted")


@app.command()
def retain(
    days: Annotated[int, typer.Option("--days", help="Keep so many whole days (UTC), and today.")],
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Erase readings and messages of older days, of every device; certificates and proofs of others stay."""
    from penstock.usecases.retain import retain as keep

    _show(keep(workspace, days, _now_us()), as_json, f"kept {days} days")


@app.command()
def erase(
    device: Annotated[list[str] | None, typer.Option("--device", help="A device's name; may be repeated.")] = None,
    account: Annotated[str, typer.Option("--account", help="All devices of this owner, and who it is.")] = "",
    before: Annotated[str, typer.Option("--before", help="Only days before this one (2026-01-31, UTC).")] = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Erase readings and messages of devices or of an owner's devices; nobody else's proof changes."""
    from penstock.period import parse_iso
    from penstock.usecases.erase import ErasureAsked
    from penstock.usecases.erase import erase as forget

    before_us = parse_iso(f"{before}T00:00:00Z") if before else 0
    asked = ErasureAsked(tuple(device or ()), account, before_us)
    _show(forget(workspace, asked, _now_us()), as_json, "erased")


@app.command()
def recount(
    workspace: Workspace = HERE,
    cluster: Annotated[str, typer.Option(help="Address of a Ray cluster; this process where left out.")] = "",
    parts: Annotated[int, typer.Option(min=1, help="Shares of the registers to count in.")] = 2,
    as_json: AsJson = False,
) -> None:
    """Hash every sealed segment again and add the accepted readings up to hours, here or on a cluster."""
    from contextlib import nullcontext

    from penstock.usecases.cluster import Here, RayCluster
    from penstock.usecases.recount import recount as counted

    with RayCluster(cluster) if cluster else nullcontext(Here()) as machines:
        found = counted(workspace, machines, parts)
    said = {"segments": len(found.roots), "hours": len(found.hours["register"]), "hours_root": found.hours_root.hex()}
    _show(said, as_json, "counted again")


def _now_us() -> int:
    return time.time_ns() // 1_000


def _show(done: dict[str, Any], as_json: bool, title: str) -> None:
    emit(done, as_json, lambda: table(title, ("what", "how many"), list(done.items()), right=(1,)))


def _draw(found: dict[str, Any]) -> None:
    heads = ("segments", "files", "small_files", "rows", "erased", "bytes")
    rows = [(name, *(f"{one[head]:,}" for head in heads)) for name, one in sorted(found["formats"].items())]
    title = f"{found['files']:,} files, {found['bytes']:,} bytes, {found['seeds']:,} seeds"
    left = found["left_over"]
    table(title + (f"; {left} left to clean up" if left else ""), ("format", *heads), rows, right=tuple(range(1, 7)))

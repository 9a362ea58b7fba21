"""Open a log: the first fact of a journal says what it is called, and which key signs its checkpoints."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from penstock.chain.keystore import COST_LOG2, public_part
from penstock.errors import Conflict, Invalid, Refused
from penstock.journal.checkpoint import Verifier
from penstock.journal.fact import Entry
from penstock.journal.kinds.ledger import WorkspaceOpened
from penstock.keys import SEED_BYTES, SigningKey
from penstock.usecases.sealed_keys import sealed_key
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

Row = dict[str, Any]
NAME_CHARS_MAX: Final = 128


def open_log(
    workspace: Workspace, origin: str, key_file: Path, passphrase: str, at_us: int, *, cost_log2: int = COST_LOG2
) -> Row:
    """Name an empty journal ``origin``; its signing key is the one in ``key_file``, made and sealed there if need be.

    The same again changes nothing, and tells what was said the first time.

    Raises:
        Invalid: ``log.name`` for what no log can be called. Conflict: ``log.named`` where it has another name,
        ``log.other_key`` where another key signs. Refused: ``log.begun`` where facts were recorded without a name.
        As `sealed_key`.
    """
    _check_name(origin)
    opened = opening(workspace)
    if opened is None:
        _check_empty(workspace.read(lambda world: world))
        key = sealed_key(key_file, SigningKey, passphrase, cost_log2=cost_log2)
        opened = WorkspaceOpened(origin, key.public)
        workspace.submit("workspace", origin.encode() + key.public, at_us, lambda world: _first(world, opened))
        return _row(opened, key_file, repeated=False)
    if opened.origin != origin:
        raise Conflict("log.named", f"This journal is called {opened.origin}.", hint="A log keeps its name.")
    if key_file.exists() and public_part(key_file)[1] != opened.log_key:
        raise Conflict("log.other_key", "Another key signs this journal's checkpoints.", file=key_file.name)
    return _row(opened, key_file, repeated=True)


def opening(workspace: Workspace) -> WorkspaceOpened | None:
    """What the journal's first fact says of it; None where it has none, or another."""
    for row in workspace.facts(0, 1):
        if isinstance(row.recorded.fact, WorkspaceOpened):
            return row.recorded.fact
    return None


def _check_name(origin: str) -> None:
    try:
        Verifier(origin, bytes(SEED_BYTES))
        fits = len(origin) <= NAME_CHARS_MAX and origin.isprintable()
    except Invalid:
        fits = False
    if not fits:
        hint = "Like a web address without its scheme: registry.example/certificates."
        raise Invalid("log.name", "A log's name is one short word without spaces or plus signs.", hint=hint)


def _first(world: World, opened: WorkspaceOpened) -> list[Entry]:
    _check_empty(world)
    return [Entry(opened)]


def _check_empty(world: World) -> None:
    if world.books.size:
        hint = "Name a log before anything is recorded in it: penstock store init --origin NAME."
        raise Refused("log.begun", "This journal began without a name.", hint=hint)


def _row(opened: WorkspaceOpened, key_file: Path, *, repeated: bool) -> Row:
    kept = str(key_file) if key_file.exists() else ""
    return {"origin": opened.origin, "log_key": opened.log_key.hex(), "key_file": kept, "repeated": repeated}

"""Commands over HTTP: asked by whoever holds the operator's key and an API key, and what became of them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from penstock.api.forms import After, Limit, Name
from penstock.api.gate import Credentials, Gate
from penstock.api.problem import WITH_A_KEY
from penstock.api.push_forms import CommandAskedOf, CommandRow, CommandRows
from penstock.api.state import following
from penstock.connect.ports import Command
from penstock.usecases import command as use
from penstock.usecases.workspace import Workspace

CommandId = Annotated[str, Path(max_length=32)]


def routes(workspace: Workspace, gate: Gate) -> APIRouter:
    """The paths under ``/commands``; all need the scope `command`."""
    router = APIRouter(prefix="/commands", tags=["commands"], responses=WITH_A_KEY)

    @router.post("", status_code=201)
    def ask(asked: CommandAskedOf, shown: Credentials) -> CommandRow:
        """Ask a device to act. Recorded at once, sent as soon as its device can be reached, void once expired."""
        gate.check(shown, "command")
        said = asked.model_dump()
        signer, signature = bytes.fromhex(said.pop("signer")), bytes.fromhex(said.pop("signature"))
        standing = use.record_command(workspace, Command(**said, signature=signature), signer, gate.clock())
        return CommandRow(**use.row(standing))

    @router.get("")
    def commands(shown: Credentials, device: Name = "", after: After = 0, limit: Limit = 100) -> CommandRows:
        """Commands of one device or of all, newest first, and where each stands."""
        gate.check(shown, "command")
        found = use.rows(workspace, device)
        rows = [CommandRow(**row) for row in found[after : after + limit]]
        return CommandRows(total=len(found), next_after=following(after, limit, len(found)), commands=rows)

    @router.get("/{command}")
    def one(command: CommandId, shown: Credentials) -> CommandRow:
        """Where one command stands."""
        gate.check(shown, "command")
        return CommandRow(**use.row(workspace.read(lambda world: world.commands.standing(command))))

    return router

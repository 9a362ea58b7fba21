"""Tools that read: what can be bought, what an account has, the energy behind a rack, the proof of an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final

from mcp.server.mcpserver import Context, MCPServer
from mcp_types import CallToolResult, ToolAnnotations
from pydantic import Field

from penstock.mcp.answer import answer
from penstock.mcp.forms import EnergyMix, Portfolio, Proof, Quote
from penstock.mcp.who import Who, check_sees
from penstock.period import iso
from penstock.usecases.api_keys import READ
from penstock.usecases.compute_report.energy_mix import energy_mix
from penstock.usecases.compute_report.holdings import holdings
from penstock.usecases.compute_report.offers import offers, windows
from penstock.usecases.compute_report.proof import proof_of
from penstock.usecases.compute_report.work import find_rack
from penstock.usecases.workspace import Workspace

Asked = Context[Any, Any]
READS: Final = ToolAnnotations(read_only_hint=True, idempotent_hint=True, open_world_hint=False)
CREDITS_MAX: Final = 10**12
NUMBER_MAX: Final = 2**53 - 1

Name = Annotated[str, Field(max_length=256)]
Rack = Annotated[str, Field(max_length=256, description="The rack's name; may be left out where there is only one.")]
Account = Annotated[str, Field(min_length=1, max_length=256, description="The account's name.")]
Number = Annotated[int, Field(ge=0, le=NUMBER_MAX, description="The answer's number on its rack, from 0.")]
Credits = Annotated[int, Field(ge=1, le=CREDITS_MAX, description="How many whole credits.")]


@dataclass(frozen=True, slots=True)
class Door:
    """What every tool of a workspace works on: the workspace, who asks, and the clock [us]."""

    workspace: Workspace
    who: Who
    clock: Callable[[], int]


def add_record_tools(server: MCPServer[Any], door: Door) -> None:
    """Add the tools that read; they need the scope `registry:read`."""
    workspace, who = door.workspace, door.who

    @server.tool(annotations=READS)
    def quote(asked: Asked, model: Name = "", credits: Credits = 1) -> Annotated[CallToolResult, Quote]:
        """What compute can be bought here now: credits by class, and windows of accelerators, cheapest first.

        Prices are micro-dollars (1,000,000 = $1). Narrow credits by the model's name; `credits` asks what so many cost.
        """

        def work() -> dict[str, Any]:
            who.member(asked, READ)
            return quoted(workspace, model, credits, door.clock())

        return answer(work)

    @server.tool(annotations=READS)
    def portfolio(asked: Asked, account: Account) -> Annotated[CallToolResult, Portfolio]:
        """What an account has: micro-dollars, credits not used up, certificates by state [Wh]."""

        def work() -> dict[str, Any]:
            by = who.member(asked, READ)
            workspace.read(lambda world: check_sees(world, by, account))
            return workspace.read(lambda world: holdings(world, account))

        return answer(work)

    @server.tool(annotations=READS, name="energy_mix")
    def mix(asked: Asked, rack: Rack = "") -> Annotated[CallToolResult, EnergyMix]:
        """The energy behind a rack: how much of it is matched within its hour, by technology and zone; its carbon."""

        def work() -> dict[str, Any]:
            who.member(asked, READ)
            return workspace.read(lambda world: energy_mix(world, find_rack(world, rack)))

        return answer(work)

    @server.tool(annotations=READS)
    def prove(asked: Asked, number: Number, rack: Rack = "") -> Annotated[CallToolResult, Proof]:
        """Where an answer's energy came from and where its dollars went; `bundle` proves it offline.

        It proves signed statements, not physics: see the notes.
        """

        def work() -> dict[str, Any]:
            who.member(asked, READ)
            found = proof_of(workspace, rack, number)
            return found | {"bundle": f"penstock://answers/{found['rack']}/{number}/bundle"}

        return answer(work)


def quoted(workspace: Workspace, model: str, credits: int, now_us: int) -> dict[str, Any]:
    """Offers of a model, and what ``credits`` of the cheapest that is open and has so many would cost."""
    found = [one for one in offers(workspace, now_us) if not model or one["model"] == model]
    best = next((one for one in found if one["open"] and one["left_credits"] >= credits), None)
    return {
        "as_of": iso(now_us),
        "offers": found,
        "windows": workspace.read(lambda world: windows(world, now_us)),
        "cheapest": best and best["credit_class"],
        "credits": credits,
        "cost_usdc_micro": best and best["price_usdc_micro"] * credits,
    }

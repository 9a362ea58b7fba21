"""Resources: what stands in the workspace as JSON to read, by address."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ResourceNotFoundError

from penstock.errors import NotFound, PenstockError
from penstock.mcp.record_tools import Door
from penstock.trace.bundle import build_bundle
from penstock.usecases.compute_report.energy_mix import energy_mix
from penstock.usecases.compute_report.offers import offers
from penstock.usecases.compute_report.published import GPU_HOUR, curves
from penstock.usecases.compute_report.work import find_rack, hours, racks
from penstock.usecases.prove import JournalRecord

JSON: Final = "application/json"


def add_resources(server: MCPServer[Any], door: Door) -> None:
    """Add what can be read by address."""
    workspace = door.workspace

    def read(work: Callable[[], Any]) -> str:
        """The JSON of what ``work`` finds, for whoever came through the door."""
        try:
            return json.dumps(work(), default=str)
        except NotFound as error:
            raise ResourceNotFoundError(str(error)) from error
        except PenstockError as error:
            raise ResourceError(str(error)) from error

    @server.resource("penstock://offers", mime_type=JSON)
    def all_offers() -> str:
        """Every class of credits, those that can be bought first, then the cheapest."""
        return read(lambda: offers(workspace, door.clock()))

    @server.resource("penstock://racks", mime_type=JSON)
    def all_racks() -> str:
        """Every rack: answers, tokens, where its metered energy went [mJ]."""
        return read(lambda: racks(workspace))

    @server.resource("penstock://racks/{rack}/hours", mime_type=JSON)
    def rack_hours(rack: str) -> str:
        """A rack's last hours of work: load [basis points], tokens, energy [mJ], energy of a thousand tokens."""
        return read(lambda: hours(workspace, rack))

    @server.resource("penstock://racks/{rack}/energy-mix", mime_type=JSON)
    def rack_mix(rack: str) -> str:
        """As the tool `energy_mix`."""
        return read(lambda: workspace.read(lambda world: energy_mix(world, find_rack(world, rack))))

    @server.resource("penstock://answers/{rack}/{number}/bundle", mime_type=JSON)
    def bundle(rack: str, number: int) -> str:
        """One file that proves an answer to whoever trusts the log's key: `penstock verify` checks it offline."""

        def work() -> Any:
            record = JournalRecord(workspace)
            raw = workspace.read(lambda world: build_bundle(record, world.books, find_rack(world, rack).rack, number))
            return json.loads(raw)

        return read(work)

    @server.resource("penstock://published/energy-per-token", mime_type=JSON)
    def published() -> str:
        """Published runs of accelerators under batching, to read a rack's own figure beside; energy in their price."""
        return read(lambda: {"curves": curves(), "accelerator_hour": GPU_HOUR})

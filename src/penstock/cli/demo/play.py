"""The play: the demo's stages in order, each resumable, each with the figures it shows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from penstock.api.app import make_app
from penstock.api.running import serve_in_thread
from penstock.chain.client import ChainClient
from penstock.chain.node import Node
from penstock.chain.provider import NodeProvider
from penstock.chain.rpc import serve as serve_rpc
from penstock.cli.demo import demand
from penstock.cli.demo.attesters import Attesters, attesters
from penstock.cli.demo.cast import HOLDERS, Cast, Holder
from penstock.cli.demo.clock import LateClock
from penstock.cli.demo.fleet import ROOFS, Cloud, Roof, counted_wh, roofs
from penstock.cli.demo.planted import Meter, Plan, packets
from penstock.cli.demo.rents import Rents
from penstock.cli.demo.sunshine import Sunshine
from penstock.cli.show import progress
from penstock.errors import Conflict, Corrupt
from penstock.journal.fact import Entry
from penstock.journal.formats import FORMATS
from penstock.journal.kinds.compute import CreditsOffered, RackRegistered
from penstock.journal.kinds.energy import ReadingsVerified
from penstock.journal.kinds.ledger import WorkspaceOpened
from penstock.journal.segment import Columns
from penstock.keys import derive_seed
from penstock.period import DAY_US, QUARTER_HOUR_US, Period, parse_iso
from penstock.store.disk import disk_errors
from penstock.usecases.chain_desk import ChainDesk
from penstock.usecases.own_chain import chain_file, found_chain
from penstock.usecases.workspace import KEYS_FOLDER, Workspace

DEAL: Final = "mixed-pool"
RACK: Final = "rack-1"
OPERATOR: Final = "operator"
SERVICER: Final = "servicer"
BUYER: Final = "buyer"
CREDITS: Final = "answers"
ORIGIN: Final = "penstock.example/mixed-pool"
HOLDERS_OF: Final = {"A": HOLDERS, "B": 40, "E": 10}
EXPIRES_US: Final = parse_iso("2040-01-01T00:00:00Z")
TERMS: Final = CreditsOffered(
    CREDITS, OPERATOR, "modelled-70b", f"{CREDITS}/credits", 1_000, 2_600, 12_000_000, EXPIRES_US
)


@dataclass(frozen=True, slots=True)
class Size:
    """How large a play is: roofs of the fleet, holders of tranche A."""

    roofs: int = ROOFS
    holders: int = HOLDERS

    def holders_of(self, tranche: str) -> int:
        """How many hold a tranche."""
        return min(HOLDERS_OF[tranche], self.holders)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a play is about: where it lives, seed, week, rents, perhaps a cloud; ``quiet`` hides progress bars."""

    workspace: Path
    sunshine: Sunshine
    seed: bytes
    deal_text: str
    cloud: Cloud | None = None
    rents: Rents = Rents.CHEAP
    quiet: bool = False
    size: Size = Size()


@dataclass(slots=True)
class Stage:
    """One stage as shown: its title, what it says, and how long it took [s of the wall clock]."""

    name: str
    title: str
    figures: dict[str, Any] = field(default_factory=dict)
    seconds: float = 0.0


class Stagehand:
    """What all stages share: the open workspace, the chain, the cast and the fleet."""

    def __init__(
        self, settings: Settings, workspace: Workspace, node: Node, clock: LateClock, stack: ExitStack
    ) -> None:
        self.settings, self.workspace, self.node, self.clock = settings, workspace, node, clock
        self._stack = stack
        self.cast = Cast(settings.seed)
        self.desk = ChainDesk(workspace, ChainClient(NodeProvider(node)), self.cast.chain_key(OPERATOR))

    @property
    def week(self) -> Period:
        """The replayed week."""
        return self.settings.sunshine.week

    @property
    def days(self) -> list[Period]:
        """Its local days: seven, unless fewer were asked for."""
        return list(self.week.steps(DAY_US))

    @cached_property
    def roofs(self) -> tuple[Roof, ...]:
        """The fleet."""
        return roofs(self.settings.seed, self.settings.size.roofs)

    @cached_property
    def holders(self) -> tuple[Holder, ...]:
        """The investors."""
        return self.cast.holders(self.settings.size.holders)

    @cached_property
    def meters(self) -> tuple[Meter, ...]:
        """Every roof's readings for the week."""
        at_us = self.settings.sunshine.start_us + QUARTER_HOUR_US
        sun, cloud = self.settings.sunshine, self.settings.cloud
        counted = counted_wh(self.roofs, self.settings.seed, sun, cloud)
        return tuple(
            Meter(roof.name, roof.key, at_us, position_wh)
            for roof, position_wh in zip(self.roofs, counted, strict=True)
        )

    @cached_property
    def plan(self) -> Plan:
        """Which bad packets go where."""
        return Plan.draw(self.settings.seed, len(self.roofs), len(self.days) * 24)

    @cached_property
    def arrivals(self) -> list[list[bytes]]:
        """Raw packets of all roofs, hour by hour, the planted ones among them."""
        return packets(self.meters, self.plan, self.settings.seed)

    @property
    def rack(self) -> RackRegistered:
        """The rack as registered."""
        return self.workspace.read(lambda world: world.compute.racks[RACK])

    def requests(self, day: int) -> demand.Demand:
        """A day's modelled requests."""
        return demand.requests(self.settings.seed, day, self.days[day])

    def readings(self, key: str) -> Columns:
        """The reading columns that a recorded intake sealed; raises LookupError where none did."""
        receipt = self.workspace.store.receipt(key)
        if receipt is None:
            raise LookupError(key)
        for row in self.workspace.facts(receipt.first_seq, receipt.first_seq + receipt.facts):
            if isinstance(row.recorded.fact, ReadingsVerified) and row.segment:
                return self.workspace.store.columns(row.segment, FORMATS[row.recorded.fact.segment.format])
        raise LookupError(key)

    def recorded(self, key: str) -> bool:
        """Whether a command was recorded before."""
        return self.workspace.store.receipt(key) is not None

    @cached_property
    def rpc(self) -> str:
        """Where the chain answers, from when somebody first asks until the play is over."""
        return self._stack.enter_context(serve_rpc(self.node))

    @cached_property
    def running(self) -> Attesters:
        """Three attesters at work, from when somebody first asks until the play is over."""
        source = self._stack.enter_context(serve_in_thread(make_app(self.workspace)))
        keys, periods = self.settings.workspace / KEYS_FOLDER, len(self.days)
        return self._stack.enter_context(attesters(source.url, self.rpc, DEAL, keys, periods))

    @contextmanager
    def bar(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        """A progress bar, unless the play is quiet."""
        with progress(label, total, self.settings.quiet) as step:
            yield step


@contextmanager
def stagehand(settings: Settings) -> Iterator[Stagehand]:
    """Open the workspace and its chain, making both where there is none.

    Raises:
        Conflict: ``demo.other_play`` where the workspace holds another. Corrupt: ``chain.lost``. Unavailable:
            ``store.in_use``. As `found_chain`.
    """
    cast = Cast(settings.seed)
    with ExitStack() as stack:
        workspace = stack.enter_context(Workspace(settings.workspace))
        _open(workspace, settings, WorkspaceOpened(ORIGIN, cast.log_key.public))
        _check_chain(workspace)
        holders = cast.holders(settings.size.holders)
        with disk_errors():
            clock = LateClock()
            node = stack.enter_context(found_chain(settings.workspace, cast.funded(holders), clock))
            cast.save(settings.workspace / KEYS_FOLDER)
        yield Stagehand(settings, workspace, node, clock, stack)


def _check_chain(workspace: Workspace) -> None:
    """A chain that was acted on must not be founded anew."""
    acted = any(row.tx_hash for row in workspace.store.outbox.rows())
    if acted and not chain_file(workspace.path).exists():
        hint = "Restore the chain folder from a backup, or name another workspace."
        raise Corrupt("chain.lost", "The chain that this workspace acted on is gone.", hint=hint, path=workspace.path)


def _open(workspace: Workspace, settings: Settings, opened: WorkspaceOpened) -> None:
    """The first fact, which holds what the play is about; before anything else is touched."""
    try:
        workspace.submit("workspace", _asked(settings), settings.sunshine.week.start_us, lambda _: [Entry(opened)])
    except Conflict as other:
        hint = "Repeat it with the settings it was made with, or name another folder with --workspace."
        raise Conflict("demo.other_play", "This workspace holds another play.", hint=hint) from other


def _asked(settings: Settings) -> bytes:
    """What a play is about, as the input of its first command: with another seed, week or size it is another play."""
    cloud, size = settings.cloud, settings.size
    clouded = f"{cloud.day}|{cloud.percent}" if cloud else "|"
    said = f"{settings.sunshine.week}|{size.roofs}|{size.holders}|{clouded}|{settings.rents}"
    return derive_seed(settings.seed, "asked", said, settings.deal_text)


def perform(hand: Stagehand, acts: list[tuple[str, str, Callable[[Stagehand], dict[str, Any]]]]) -> Iterator[Stage]:
    """Run the stages in order, yielding each as it is done. Raises what they raise, and as `disk_errors`."""
    for name, title, act in acts:
        began = time.monotonic()
        with disk_errors():
            figures = act(hand)
        yield Stage(name, title, figures, time.monotonic() - began)

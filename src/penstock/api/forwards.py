"""Paths of forwards: output offered, sold, delivered and settled."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from penstock.api.acts import command_key, instant_us
from penstock.api.forms import After, Limit
from penstock.api.forward_forms import (
    ForwardDone,
    ForwardRow,
    ForwardRows,
    IndexAsked,
    OfferAsked,
    PassAsked,
    SellAsked,
)
from penstock.api.gate import Credentials, Gate
from penstock.api.problem import WITH_A_KEY
from penstock.api.registry_forms import Done, IdempotencyKey
from penstock.api.state import following
from penstock.journal.kinds.forward import ForwardIndexPublished
from penstock.period import HOUR_US
from penstock.usecases.api_keys import OPERATE, WRITE
from penstock.usecases.registry import forward_desk as desk
from penstock.usecases.registry.forward import Offer, PassOn, Sell
from penstock.usecases.registry.forward_rows import forward_row
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

ForwardInPath = Annotated[str, Path(max_length=64, description="A forward's name.")]


def routes(workspace: Workspace, gate: Gate) -> APIRouter:
    """The paths under ``/forwards``; reading is free, as the record is."""
    router = APIRouter(prefix="/forwards", tags=["forwards"])

    @router.get("")
    def forwards(after: After = 0, limit: Limit = 100) -> ForwardRows:
        """Every forward, in the order of offers."""
        total, found = workspace.read(lambda world: _page(world, after, limit))
        return ForwardRows(total=total, next_after=following(after, limit, total), forwards=found)

    @router.get("/{forward}", name="forward")
    def one(forward: ForwardInPath) -> ForwardRow:
        """One forward: its terms, its sales, what came, where its dollars lie."""
        return ForwardRow(**workspace.read(lambda world: forward_row(world, forward)))

    _add_trade(router, workspace, gate)
    _add_output(router, workspace, gate)
    return router


def _add_trade(router: APIRouter, workspace: Workspace, gate: Gate) -> None:
    @router.post("", status_code=201, responses=WITH_A_KEY)
    def offer(asked: OfferAsked, shown: Credentials, key: IdempotencyKey = None) -> ForwardDone:
        """A seller offers output of a plant, at which price, with what behind it."""
        by = gate.member(shown, WRITE)
        act = offer_of(asked, by)
        return ForwardDone(**desk.offer_on(workspace, command_key(by, "forward offer", key), act, gate.clock()))

    @router.post("/{forward}/sell", status_code=201, responses=WITH_A_KEY)
    def sell(forward: ForwardInPath, asked: SellAsked, shown: Credentials, key: IdempotencyKey = None) -> ForwardDone:
        """A buyer takes of an offer: price and collateral move, and the buyer holds the promise."""
        by = gate.member(shown, WRITE)
        act = Sell(forward, **asked.model_dump(), by=by)
        return ForwardDone(**desk.sell_on(workspace, command_key(by, "forward sell", key), act, gate.clock()))

    @router.post("/{forward}/pass", status_code=201, responses=WITH_A_KEY)
    def pass_on(
        forward: ForwardInPath, asked: PassAsked, shown: Credentials, key: IdempotencyKey = None
    ) -> ForwardDone:
        """A part of a promise goes to another holder."""
        by = gate.member(shown, WRITE)
        act = PassOn(forward, **asked.model_dump(), by=by)
        return ForwardDone(**desk.pass_on_on(workspace, command_key(by, "forward pass", key), act, gate.clock()))


def _add_output(router: APIRouter, workspace: Workspace, gate: Gate) -> None:
    @router.post("/{forward}/deliver", status_code=201, responses=WITH_A_KEY)
    def deliver(forward: ForwardInPath, shown: Credentials, key: IdempotencyKey = None) -> ForwardDone:
        """What is due of all that was certified since the last delivery goes to the buyers."""
        by = gate.member(shown, WRITE)
        named = command_key(by, "forward deliver", key)
        return ForwardDone(**desk.deliver_on(workspace, named, desk.Named(forward, by), gate.clock()))

    @router.post("/{forward}/settle", status_code=201, responses=WITH_A_KEY)
    def settle(forward: ForwardInPath, shown: Credentials, key: IdempotencyKey = None) -> ForwardDone:
        """A forward whose time is over ends: what did not come is remedied, the rest of the dollars go back."""
        by = gate.member(shown, WRITE)
        named = command_key(by, "forward settle", key)
        return ForwardDone(**desk.settle_on(workspace, named, desk.Named(forward, by), gate.clock()))

    @router.post("/indices", status_code=201, responses=WITH_A_KEY)
    def publish_index(asked: IndexAsked, shown: Credentials, key: IdempotencyKey = None) -> Done:
        """The price of an index over a period. Needs the scope `registry:operate`."""
        by = gate.member(shown, OPERATE)
        said = asked.model_dump(exclude={"start", "stop"})
        fact = ForwardIndexPublished(**said, start_us=instant_us(asked.start), stop_us=instant_us(asked.stop))
        return Done(**desk.publish_on(workspace, command_key(by, "forward index", key), fact, gate.clock()))


def offer_of(asked: OfferAsked, by: str) -> Offer:
    """The offer that ``by`` asks for. Raises as `instant_us`."""
    times = {"start", "stop", "basis_start", "basis_stop", "make_up_until"}
    said = asked.model_dump(exclude={*times, "registers", "prices_usdc_micro_per_mwh", "shape", "grace_hours"})
    said |= {f"{name}_us": instant_us(getattr(asked, name)) for name in times}
    return Offer(
        **said,
        registers=tuple(asked.registers),
        prices_usdc_micro_per_mwh=tuple(asked.prices_usdc_micro_per_mwh),
        shape=tuple((instant_us(one.start), instant_us(one.stop), one.energy_wh) for one in asked.shape),
        grace_us=asked.grace_hours * HOUR_US,
        by=by,
    )


def _page(world: World, after: int, limit: int) -> tuple[int, list[ForwardRow]]:
    names = list(world.forwards.promises)
    return len(names), [ForwardRow(**forward_row(world, name)) for name in names[after : after + limit]]

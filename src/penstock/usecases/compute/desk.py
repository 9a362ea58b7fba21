"""The desk: acts on compute as the doors ask for them, submitted under a key, told as rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from penstock.errors import Invalid
from penstock.journal.fact import Entry
from penstock.journal.kinds.capacity import (
    CapacityOpened,
    ConversionPublished,
    ProviderRegistered,
    SkuPublished,
    WindowOffered,
)
from penstock.journal.kinds.compute import CreditsOffered
from penstock.period import iso
from penstock.usecases.compute.add_rack import AddRack, add_rack
from penstock.usecases.compute.move_collateral import Collateral, move_collateral
from penstock.usecases.compute.open_capacity import Lose, lose_capacity, open_capacity
from penstock.usecases.compute.publish import publish_conversion, publish_sku
from penstock.usecases.compute.redeem_credits import Redeem, redeem_credits
from penstock.usecases.compute.register_provider import register_provider
from penstock.usecases.compute.slash_collateral import Slash, slash_collateral
from penstock.usecases.compute.trade_credits import (
    AskWork,
    BuyCredits,
    EndCredits,
    PassCredits,
    ask_work,
    end_credits,
    offer_credits,
    pass_credits,
    sell_credits,
)
from penstock.usecases.compute.trade_windows import (
    Buy,
    Pay,
    Resell,
    Settle,
    offer_window,
    pay_window,
    resell_window,
    sell_window,
    settle_window,
)
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

Row = dict[str, Any]
Decide = Callable[[World, Any, int], list[Entry]]
ACTS: Final[dict[type, Decide]] = {
    AddRack: lambda world, asked, _: add_rack(world, asked),
    ProviderRegistered: lambda world, asked, _: register_provider(world, asked),
    SkuPublished: lambda world, asked, _: publish_sku(world, asked),
    ConversionPublished: lambda world, asked, _: publish_conversion(world, asked),
    Collateral: lambda world, asked, _: move_collateral(world, asked),
    Slash: lambda world, asked, _: slash_collateral(world, asked),
    CapacityOpened: open_capacity,
    Lose: lose_capacity,
    WindowOffered: offer_window,
    Buy: sell_window,
    Resell: resell_window,
    Pay: pay_window,
    Settle: settle_window,
    CreditsOffered: offer_credits,
    BuyCredits: sell_credits,
    PassCredits: pass_credits,
    AskWork: ask_work,
    Redeem: redeem_credits,
    EndCredits: end_credits,
}
"""By the type of what is asked, the act that it asks for."""


def act_on(workspace: Workspace, key: str, asked: Any, at_us: int) -> Row:
    """Do what is asked, once under its key; tells the facts recorded.

    Raises:
        Invalid: ``compute.act`` for what is no act on compute. As the act; as `Workspace.submit`.
    """
    if type(asked) not in ACTS:
        raise Invalid("compute.act", f"{type(asked).__name__} asks for no act on compute.")
    act = ACTS[type(asked)]
    receipt = workspace.submit(key, asked, at_us, lambda world: act(world, asked, at_us))
    facts = list(workspace.facts(receipt.first_seq, receipt.first_seq + receipt.facts))
    kinds = [{"seq": row.recorded.seq, "kind": row.recorded.fact.KIND, "at": iso(row.recorded.at_us)} for row in facts]
    return {"first_seq": receipt.first_seq, "repeated": receipt.repeated, "facts": kinds}

"""Tools that act for an account: buy credits or a window, ask for the work of credits; each once under its key."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from mcp.server.mcpserver import MCPServer
from mcp_types import CallToolResult, ToolAnnotations
from pydantic import Field

from penstock.errors import Invalid, Refused
from penstock.journal.fact import Entry
from penstock.mcp.answer import answer
from penstock.mcp.forms import Done
from penstock.mcp.record_tools import Account, Asked, Credits, Door
from penstock.usecases.api_keys import WRITE
from penstock.usecases.compute.trade_credits import AskWork, BuyCredits, ask_work, sell_credits
from penstock.usecases.compute.trade_windows import Buy, sell_window
from penstock.usecases.sell import sell
from penstock.usecases.world import World

ACTS: Final = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
KEY_CHARS_MAX: Final = 256
MICRO_MAX: Final = 2**53 - 1
ClassName = Annotated[str, Field(max_length=256, description="The class of credits, as quoted.")]
WindowName = Annotated[str, Field(max_length=256, description="The window's `offer`, as quoted.")]
Key = Annotated[
    str,
    Field(max_length=KEY_CHARS_MAX, description="Your own name for this act: the same again is recorded once."),
]
Most = Annotated[int, Field(ge=0, le=MICRO_MAX, description="Pay no more than this [micro-dollars].")]


def add_market_tools(server: MCPServer[Any], door: Door) -> None:
    """Add the tools that act; they need the scope `registry:write` and a member's role for the account."""

    @server.tool(annotations=ACTS)
    def buy(
        asked: Asked,
        account: Account,
        max_cost_usdc_micro: Most,
        credit_class: ClassName = "",
        credits: Credits = 1,
        window: WindowName = "",
        key: Key = "",
    ) -> Annotated[CallToolResult, Done]:
        """Buy credits of a class, or one window, with an account's dollars; they wait in escrow until it is delivered.

        Name a class or a window as quoted, and the most you pay; a repeated `key` buys nothing twice.
        """

        def work() -> dict[str, Any]:
            by = door.who.member(asked, WRITE)
            if bool(credit_class) == bool(window):
                raise Invalid("market.one_thing", "One class of credits, or one window, is bought at a time.")
            wanted = Window(window) if window else Class(credit_class, credits)
            return recorded(door, Act("buy", by, account, wanted, key), max_cost_usdc_micro)

        return answer(work)

    @server.tool(annotations=ACTS)
    def redeem(
        asked: Asked, account: Account, credit_class: ClassName, credits: Credits, key: Key = ""
    ) -> Annotated[CallToolResult, Done]:
        """Ask for the work of credits that an account holds: from now on the provider has its time of grace to deliver.

        What is not delivered in time is refunded with collateral. A repeated `key` asks for nothing twice.
        """

        def work() -> dict[str, Any]:
            by = door.who.member(asked, WRITE)
            return recorded(door, Act("redeem", by, account, Class(credit_class, credits), key), 0)

        return answer(work)


@dataclass(frozen=True, slots=True)
class Class:
    """So many credits of a class."""

    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Window:
    """One window, by its offer's name."""

    name: str
    count: int = 1


@dataclass(frozen=True, slots=True)
class Act:
    """What is asked for, by whom, and under which name of the asker's own; none for once and never again."""

    act: str
    by: str
    account: str
    wanted: Class | Window
    key: str


def recorded(door: Door, act: Act, most_usdc_micro: int) -> dict[str, Any]:
    """Submit an act; what became of it.

    Raises:
        Refused: ``market.above_limit``; as `check_may`, the sale of credits or of a window, and `ask_work`.
    """
    now_us = door.clock()

    def decide(world: World) -> Sequence[Entry]:
        world.participants.check_may(act.by, act.account, "buy")
        return decided(world, act, most_usdc_micro, now_us)

    receipt = door.workspace.submit(command_key(act.by, act.act, act.key), act, now_us, decide)
    cost = door.workspace.read(lambda world: cost_of(world, act.wanted)) if act.act == "buy" else 0
    return {
        "act": act.act,
        "account": act.account,
        "bought": act.wanted.name,
        "count": act.wanted.count,
        "cost_usdc_micro": cost,
        "first_seq": receipt.first_seq,
        "facts": receipt.facts,
        "repeated": receipt.repeated,
    }


def decided(world: World, act: Act, most_usdc_micro: int, now_us: int) -> Sequence[Entry]:
    """The facts of an act; raises as `recorded`."""
    name, count = act.wanted.name, act.wanted.count
    if act.act == "redeem":
        return ask_work(world, AskWork(name, act.account, count), now_us)
    cost = cost_of(world, act.wanted)
    if cost > most_usdc_micro:
        hint = "Ask for a quote, and say the most you pay."
        raise Refused("market.above_limit", "This costs more than you said you pay.", hint=hint, cost_usdc_micro=cost)
    if isinstance(act.wanted, Window):
        return sell_window(world, Buy(name, act.account), now_us)
    if name in world.capacity.credits.classes:
        return sell_credits(world, BuyCredits(name, act.account, count), now_us)
    return sell(world, name, act.account, count, now_us)


def cost_of(world: World, wanted: Class | Window) -> int:
    """What it costs [micro-dollars]. Raises NotFound ``credit.unknown_class``, ``window.unknown``."""
    if isinstance(wanted, Window):
        return world.capacity.windows.named(wanted.name).terms.price_usdc_micro
    return world.compute.book(wanted.name).terms.price_usdc_micro * wanted.count


def command_key(by: str, act: str, named: str) -> str:
    """The key of a command: the asker's own name for it where there is one, else one nobody used."""
    said = named or secrets.token_hex(16)
    return f"mcp:{hashlib.sha256(chr(10).join((by, act, said)).encode()).hexdigest()[:48]}"

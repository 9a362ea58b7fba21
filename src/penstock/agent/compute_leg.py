"""The compute half of a purchase, through a workspace's MCP door: credits of a class, or one window.

A door holds nothing for anybody: whoever comes first has it. So ``reserve`` looks whether it is to be had and at what
price, and ``take`` buys; where it is gone by then, `Together` gives the certificates back. The door records each
purchase once under its key, so that asking again is safe. Paid are the account's own dollars, never above the cap.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

from penstock.agent.tool_call import TIMEOUT_S, Open
from penstock.errors import Refused, Unavailable

DOORS_OWN: Final = ("api", "account", "mcp")
"""Areas of refusals that are of who asks, not of what is bought: they say nothing of what was bought before."""


@dataclass(slots=True)
class ComputeLeg:
    """Credits of a class, or a window, for ``account``, at no more than ``most_usdc_micro``. Implements `Leg`."""

    open: Open = field(repr=False)
    account: str
    most_usdc_micro: int
    credit_class: str = ""
    credits: int = 1
    window: str = ""

    def reserve(self, key: str) -> None:
        """Whether it is to be had within the cap. Raises Refused ``compute.gone``, ``compute.dearer``; Unavailable
        ``compute.silent``."""
        del key
        asked = {"credits": self.credits} if self.credit_class else {}
        price = self._price(self._call("quote", asked))
        if price is None:
            raise Refused("compute.gone", f"{self.window or self.credit_class} is not to be had.")
        if price > self.most_usdc_micro:
            raise Refused("compute.dearer", f"It costs {price} µ$, and {self.most_usdc_micro} µ$ were allowed.")

    def take(self, key: str) -> None:
        """Buy it, once. Raises Refused ``compute.gone`` where the door sold nothing, Unavailable ``compute.silent``."""
        what = {"window": self.window} if self.window else {"credit_class": self.credit_class, "credits": self.credits}
        said = {"account": self.account, "max_cost_usdc_micro": self.most_usdc_micro, "key": key}
        self._call("buy", what | said)

    def give_back(self, key: str) -> None:
        """Nothing is held."""

    def _price(self, quote: Mapping[str, Any]) -> int | None:
        """What it costs now [micro-dollars]; None where it is not to be had."""
        if self.window:
            rows = [one for one in quote["windows"] if one["offer"] == self.window and one["open"]]
            return int(rows[0]["price_usdc_micro"]) if rows else None
        rows = [one for one in quote["offers"] if one["credit_class"] == self.credit_class and one["open"]]
        enough = rows and rows[0]["left_credits"] >= self.credits
        return int(rows[0]["price_usdc_micro"]) * self.credits if enough else None

    def _call(self, tool: str, arguments: dict[str, Any]) -> dict[str, Any]:
        try:
            with ThreadPoolExecutor(1) as pool:  # a loop of its own, also where the caller runs in one
                found = pool.submit(asyncio.run, self._ask(tool, arguments)).result()
        except Exception as error:  # whatever the session raises: nothing is known of the call
            raise Unavailable("compute.silent", f"The door does not answer ({type(error).__name__}).") from None
        said = dict(found.structured_content or {})
        if not found.is_error:
            return said
        code = str(said.get("code", ""))
        if said.get("error") not in ("Refused", "NotFound", "Conflict") or code.partition(".")[0] in DOORS_OWN:
            raise Unavailable("compute.silent", f"The door says {code}: {str(said.get('message', ''))[:200]}")
        raise Refused("compute.gone", f"The door says no: {str(said.get('message', ''))[:200]}", door_code=code)

    async def _ask(self, tool: str, arguments: dict[str, Any]) -> Any:
        async with asyncio.timeout(TIMEOUT_S), self.open() as client:
            return await client.call_tool(tool, arguments)

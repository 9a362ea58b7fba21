"""What an answer costs by its tokens."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.errors import Invalid
from penstock.units import INT64_MAX

TOKENS_PER_PRICE = 1_000


@dataclass(frozen=True, slots=True)
class Price:
    """So much per 1,000 tokens, and never less than ``minimum_usdc_micro`` an answer [micro-dollars].

    Raises:
        Invalid: ``price.figures`` for a negative figure.
    """

    usdc_micro_per_1k_tokens: int
    minimum_usdc_micro: int = 0

    def __post_init__(self) -> None:
        if min(self.usdc_micro_per_1k_tokens, self.minimum_usdc_micro) < 0:
            raise Invalid("price.figures", "A price is not negative.")

    def cost_up(self, tokens: int) -> int:
        """What ``tokens`` cost [micro-dollars], a part of a micro-dollar counted whole."""
        cost = max(-(-tokens * self.usdc_micro_per_1k_tokens // TOKENS_PER_PRICE), self.minimum_usdc_micro)
        if cost > INT64_MAX:
            raise Invalid("price.figures", "So many tokens at this price exceed what a payment can carry.")
        return cost

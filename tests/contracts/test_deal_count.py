"""How many random deals are closed on chain and exactly: 300 in the suite, 10,000 nightly. ``pytest -s`` prints it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import test_deal_everything
import test_deal_weeks

SUITE: Final = (
    test_deal_weeks.test_random_deals_agree_and_conserve,
    test_deal_everything.test_deals_of_everything_agree_and_conserve,
)
NIGHTLY: Final = (
    test_deal_weeks.test_many_random_deals_agree_and_conserve,
    test_deal_everything.test_many_deals_of_everything_agree_and_conserve,
)


def deals(tests: tuple[Callable[..., Any], ...]) -> int:
    """Examples these tests draw, a deal each."""
    return sum(one._hypothesis_internal_use_settings.max_examples for one in tests)  # type: ignore[attr-defined]


def test_as_many_random_deals_as_promised() -> None:
    print(f"random deals, exact = chain: {deals(SUITE)} in the suite, {deals(NIGHTLY):,} nightly")
    assert deals(SUITE) >= 300
    assert deals(NIGHTLY) >= 10_000

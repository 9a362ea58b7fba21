"""The payment library reads the wall clock by itself: in these tests it reads the test's."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from agent_kit import NOW_US


@pytest.fixture(autouse=True)
def fixed_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Payments are signed as of the kit's instant, whenever the tests run."""
    fixed = SimpleNamespace(time=lambda: NOW_US / 1_000_000)
    monkeypatch.setattr("x402.mechanisms.evm.exact.client.time", fixed)

"""A chain of its own for each module, a till for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import payment_kit
import pytest

from penstock.connect.x402.facilitator import ChainFacilitator
from penstock.connect.x402.till import Till
from penstock.usecases.facilitate import now_us


@pytest.fixture(scope="module")
def scene() -> Iterator[payment_kit.Scene]:
    found = payment_kit.new_scene()
    yield found
    found.node.close()


@pytest.fixture
def facilitator(scene: payment_kit.Scene, tmp_path: Path) -> Iterator[ChainFacilitator]:
    found = scene.facilitator(tmp_path / "settled.sqlite")
    yield found
    found.close()


@pytest.fixture
def till(tmp_path: Path) -> Iterator[Till]:
    with Till(tmp_path / "till.sqlite", now_us) as found:
        yield found

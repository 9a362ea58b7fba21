"""A small plant, fresh for each test or lived through once for all that only look."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from small_plant import Plant

if TYPE_CHECKING:
    from registry_kit import Registry


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Plant]:
    """Roofs and rack are enrolled, credits offered; nothing has happened yet."""
    made = Plant(tmp_path / "plant").enrolled()
    with made.workspace:
        yield made


@pytest.fixture(scope="session")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """Two days from the first reading to the second closed period. Look, change nothing."""
    made = Plant(tmp_path_factory.mktemp("lived") / "plant").lived()
    with made.workspace:
        yield made


@pytest.fixture
def registry() -> Registry:
    """A registry with four certified hours."""
    from registry_kit import Registry  # it lies beside the tests of the registry, which alone ask for it

    return Registry().with_hours()

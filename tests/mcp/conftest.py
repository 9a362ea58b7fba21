"""A plant that lived two days, and its server; those that only look share one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mcp_kit import PLANT, clock

from penstock.mcp.server import make_server
from penstock.mcp.who import Owner


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    made = PLANT.Plant(tmp_path_factory.mktemp("lived") / "plant").lived()
    with made.workspace:
        yield made


@pytest.fixture
def plant(tmp_path: Path) -> Iterator[Any]:
    made = PLANT.Plant(tmp_path / "plant").enrolled()
    with made.workspace:
        yield made


@pytest.fixture(scope="module")
def server(lived: Any) -> Any:
    return make_server(lived.workspace, Owner(), clock)

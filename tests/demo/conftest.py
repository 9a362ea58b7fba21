"""One undisturbed small play a test process, for whoever compares with it or damages a copy of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from staging import Played, play


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Played:
    """A small play that nobody interrupts."""
    return play(tmp_path_factory.mktemp("undisturbed") / "workspace")


@pytest.fixture
def copy(undisturbed: Played, tmp_path: Path) -> Path:
    """A copy of its workspace, to damage."""
    return Path(shutil.copytree(undisturbed.workspace, tmp_path / "copy"))

"""The story page (being written)."""

from __future__ import annotations

from pathlib import Path

from penstock.cli.demo.play import Settings, Stage


def write_story(file: Path, settings: Settings, stages: list[Stage]) -> None:
    """Write the page."""

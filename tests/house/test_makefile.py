"""The README and the Makefile know the same targets."""

from __future__ import annotations

import re
from pathlib import Path

TARGET = re.compile(r"^([a-z][a-z-]*):(?!=)", re.MULTILINE)
EXPLAINED = re.compile(r"^([a-z][a-z-]*):.*## \S", re.MULTILINE)
ROW = re.compile(r"^\| `make ([a-z-]+)` \|", re.MULTILINE)


def test_every_target_has_its_row_in_the_readme(root: Path) -> None:
    targets = set(TARGET.findall((root / "Makefile").read_text()))
    rows = set(ROW.findall((root / "README.md").read_text()))
    assert {"setup", "demo", "test"} <= targets
    assert targets == rows, f"without a row: {sorted(targets - rows)}; rows without a target: {sorted(rows - targets)}"


def test_every_target_is_phony_and_explains_itself(root: Path) -> None:
    text = (root / "Makefile").read_text()
    targets = set(TARGET.findall(text))
    phony = next(line for line in text.splitlines() if line.startswith(".PHONY:")).split()[1:]
    assert set(phony) == targets, "the .PHONY line lists every named target, and nothing else"
    assert set(EXPLAINED.findall(text)) == targets, "write `target:  ## what it does`; `make help` shows it"

"""The test folders are no packages, so that a test reads `from nodes import Chain`: hence each name only once."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path


def test_module_names_are_unique_over_all_test_folders(root: Path, tracked: list[Path]) -> None:
    names = Counter(path.name for path in tracked if path.is_relative_to(root / "tests") and path.suffix == ".py")
    twice = [name for name, count in names.items() if count > 1 and name != "conftest.py"]
    assert names
    assert not twice, f"pytest imports only one of two modules of one name; rename one: {twice}"


def test_test_folders_are_no_packages(root: Path, tracked: list[Path]) -> None:
    packages = [str(path) for path in tracked if path.is_relative_to(root / "tests") and path.name == "__init__.py"]
    assert not packages, f"remove: {packages}"


def test_nothing_imports_a_conftest(root: Path, tracked: list[Path]) -> None:
    findings = [
        f"{path.relative_to(root)}:{node.lineno}"
        for path in tracked
        if path.is_relative_to(root / "tests") and path.suffix == ".py"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module == "conftest"
    ]
    assert not findings, f"several folders have a conftest: take a fixture, or a module of its own: {findings}"

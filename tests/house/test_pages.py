"""Pages say what is so: links lead somewhere, exit codes are the source's, nothing names a path of one machine."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path

from penstock import errors

LINK = re.compile(r"\]\((?!\w+:)([^)#\s]+)[^)]*\)")
EXIT_ROW = re.compile(r"^\| (\d+) \|[^|]+\|([^|]*)\|$", re.MULTILINE)
HOME = re.compile(rb"(?<![\w./-])/(?:root|home/\w+|Users/\w+)/")


def test_links_between_pages_lead_somewhere(root: Path, tracked: list[Path]) -> None:
    findings = [
        f"{page.relative_to(root)} links to {link}, which is not there"
        for page in tracked
        if page.suffix == ".md"
        for link in LINK.findall(page.read_text("utf-8"))
        if not (page.parent / link).exists()
    ]
    assert not findings, "\n".join(findings)


def test_the_readme_lists_the_exit_codes_of_the_source(root: Path) -> None:
    kinds: list[type[errors.PenstockError]] = [errors.PenstockError, *errors.PenstockError.__subclasses__()]
    rows = EXIT_ROW.findall((root / "README.md").read_text())
    listed = {(int(code), name) for code, names in rows for name in re.findall(r"`(\w+)`", names)}
    assert listed == {(kind.exit_code, kind.__name__) for kind in kinds}


def test_no_tracked_file_holds_a_path_of_one_machine(root: Path, tracked: list[Path]) -> None:
    places = [
        path for path in (str(root), str(Path.home() / "x")[:-1], tempfile.gettempdir() + "/") if path.count("/") > 1
    ]
    here = re.compile(rb"(?<![\w./-])(?:" + b"|".join(re.escape(place.encode()) for place in places) + rb")(?![\w-])")
    findings = []
    for path in tracked:
        raw = path.read_bytes()
        findings += [
            f"{path.relative_to(root)}: {hit[0].decode()}" for rule in (HOME, here) if (hit := rule.search(raw))
        ]
    assert not findings, "write paths relative to the repository or to a workspace:\n" + "\n".join(findings)

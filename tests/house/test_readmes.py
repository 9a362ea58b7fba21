"""Each folder explains itself: its README has one line per file, and no line without a file."""

from __future__ import annotations

import re
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

# Below these roots every folder of tracked files explains itself; of the tests, only the topmost.
ROOTS = ("src/penstock", "contracts", "bench", "examples", "docs", "scripts")
TOPMOST = PurePosixPath("tests")
SOURCES = {".py", ".vy", ".md", ".mjs", ".toml", ".yaml"}
SILENT = {"README.md", "__init__.py", "py.typed"}
# A table row, list item or tree line that begins with a file name, `folder/` or `*.suffix`, then says something.
LINE = re.compile(r"^[\s|*\-├└─│]*\[?`?([\w.*-]+\.\w+|[\w-]+/)`?(?:\]\([^)]*\))?[\s|:–-]+(\S.*)$", re.MULTILINE)


def folders(root: Path, tracked: list[Path]) -> dict[PurePosixPath, set[str]]:
    """Each folder that must explain itself, with the names of its files and `subfolders/`."""
    found: dict[PurePosixPath, set[str]] = {}
    for path in tracked:
        inside = PurePosixPath(path.relative_to(root).as_posix())
        for child, folder in zip((inside, *inside.parents), inside.parents, strict=False):
            if folder == TOPMOST or any(folder.is_relative_to(base) for base in ROOTS):
                found.setdefault(folder, set()).add(child.name if child == inside else f"{child.name}/")
    return {folder: names for folder, names in found.items() if needs_readme(names)}


def needs_readme(names: set[str]) -> bool:
    """A folder of nothing but data is explained by its line in the folder above."""
    return any(name.endswith("/") or PurePosixPath(name).suffix in SOURCES for name in names - SILENT)


def findings_of(folder: PurePosixPath, names: set[str], readme: str) -> list[str]:
    """What the folder's README leaves out, repeats or makes up."""
    lines = Counter(name for name, _ in LINE.findall(readme))
    missing = [n for n in sorted(names - SILENT) if not any(fnmatch(n, line) for line in lines)]
    return (
        [f"{folder}/README.md: add a line that begins with `{name}` and says what it is" for name in missing]
        + [
            f"{folder}/README.md: `{line}` is not there"
            for line in sorted(lines)
            if not any(fnmatch(n, line) for n in names)
        ]
        + [f"{folder}/README.md: `{line}` has {count} lines" for line, count in sorted(lines.items()) if count > 1]
    )


def test_each_folder_has_a_readme_with_a_line_per_file(root: Path, tracked: list[Path]) -> None:
    findings: list[str] = []
    for folder, names in sorted(folders(root, tracked).items()):
        readme = root / folder / "README.md"
        if readme.is_file():
            findings += findings_of(folder, names, readme.read_text("utf-8"))
        else:
            findings.append(f"{folder}/README.md: write it, one line per file")
    assert not findings, "\n".join(findings)


def test_the_check_finds_what_is_missing_invented_and_repeated() -> None:
    readme = "| `a.py` | one |\n| `a.py` | again |\n* `gone.py` - never\n| `*.json` | shipped |\n└── sub/  a room\n"
    findings = findings_of(PurePosixPath("x"), {"a.py", "b.py", "c.json", "sub/", "README.md"}, readme)
    assert [finding.split("README.md: ")[1] for finding in findings] == [
        "add a line that begins with `b.py` and says what it is",
        "`gone.py` is not there",
        "`a.py` has 2 lines",
    ]

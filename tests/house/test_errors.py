"""Every error code is literal, well formed and explained in ``docs/errors.md``; no explanation outlives its code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from penstock.errors import PenstockError

KINDS = {kind.__name__ for kind in PenstockError.__subclasses__()}
CODE = re.compile(r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$")
ROW = re.compile(r"^\| `([^`]+)` \| ([A-Za-z, ]+) \| (\S.*) \|$", re.MULTILINE)


def raised(tree: ast.AST) -> Iterator[tuple[str, str | None, int]]:
    """Kind, code (None where it is not a literal) and line of each error that a module makes."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (kind := name_of(node.func)) in KINDS and node.args:
            for code in literals(node.args[0]):
                yield kind, code, node.lineno


def name_of(func: ast.expr) -> str:
    return func.id if isinstance(func, ast.Name) else func.attr if isinstance(func, ast.Attribute) else ""


def literals(arg: ast.expr) -> list[str | None]:
    match arg:
        case ast.Constant(value=str(code)):
            return [code]
        case ast.IfExp(body=body, orelse=orelse):
            return literals(body) + literals(orelse)
    return [None]


def codes(modules: dict[Path, ast.Module]) -> dict[str, set[str]]:
    """Each code of the source with the kinds it is raised as."""
    found: dict[str, set[str]] = {}
    for tree in modules.values():
        for kind, code, _ in raised(tree):
            if code is not None:
                found.setdefault(code, set()).add(kind)
    return found


def test_codes_are_literal_and_well_formed(modules: dict[Path, ast.Module]) -> None:
    findings = [
        f"{path}:{line}: {kind}({code!r}) - write the code as a literal, `area.what` in lower case"
        for path, tree in modules.items()
        for kind, code, line in raised(tree)
        if code is None or not CODE.match(code)
    ]
    assert not findings, "\n".join(findings)


def test_the_page_explains_exactly_the_codes_of_the_source(root: Path, modules: dict[Path, ast.Module]) -> None:
    rows = ROW.findall((root / "docs" / "errors.md").read_text("utf-8"))
    source = {code: ", ".join(sorted(kinds)) for code, kinds in codes(modules).items()}
    listed = {code: kind for code, kind, _ in rows}
    assert source
    findings = [f"add a row: | `{code}` | {source[code]} | meaning |" for code in sorted(source.keys() - listed.keys())]
    findings += [f"nothing raises {code}: remove its row" for code in sorted(listed.keys() - source.keys())]
    findings += [
        f"{c} is {source[c]}, not {listed[c]}" for c in sorted(source.keys() & listed.keys()) if source[c] != listed[c]
    ]
    assert not findings, "docs/errors.md:\n" + "\n".join(findings)


def test_the_page_is_sorted_and_free_of_repetition(root: Path) -> None:
    listed = [code for code, _, _ in ROW.findall((root / "docs" / "errors.md").read_text("utf-8"))]
    assert listed == sorted(set(listed))


def test_the_scan_sees_every_form() -> None:
    source = "raise Invalid('a.b', 's')\nraise errors.Refused('c.d' if x else 'e.f', 's')\nraise Corrupt(code, 's')"
    assert [(kind, code) for kind, code, _ in raised(ast.parse(source))] == [
        ("Invalid", "a.b"),
        ("Refused", "c.d"),
        ("Refused", "e.f"),
        ("Corrupt", None),
    ]

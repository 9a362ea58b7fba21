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
    """Kind, code (None where it is not a literal) and line of each error that a module makes.

    A function may be handed the code in a parameter named ``code``; then its callers in the module give the literal.
    """
    handed = {func.name: func for func in ast.walk(tree) if isinstance(func, ast.FunctionDef) and forwards(func)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = name_of(node.func)
        if name in KINDS and node.args and not (handed and is_code(node.args[0])):
            yield from ((name, code, node.lineno) for code in literals(node.args[0]))
        elif name in handed:
            codes = literals(argument(node, handed[name]))
            yield from ((kind, code, node.lineno) for kind in forwards(handed[name]) for code in codes)


def forwards(func: ast.FunctionDef) -> list[str]:
    """The kinds a function raises with the code it was handed."""
    if "code" not in (arg.arg for arg in func.args.args):
        return []
    calls = (node for node in ast.walk(func) if isinstance(node, ast.Call) and node.args)
    return [name_of(call.func) for call in calls if name_of(call.func) in KINDS and is_code(call.args[0])]


def argument(call: ast.Call, func: ast.FunctionDef) -> ast.expr:
    """What a call hands to the parameter ``code``."""
    for keyword in call.keywords:
        if keyword.arg == "code":
            return keyword.value
    names = [arg.arg for arg in func.args.args if arg.arg not in ("self", "cls")]
    return call.args[names.index("code")]


def is_code(arg: ast.expr) -> bool:
    return isinstance(arg, ast.Name) and arg.id == "code"


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


def test_the_page_says_the_http_status_of_each_kind(root: Path) -> None:
    rows = re.findall(
        r"^\| (\w+) \|[^|]+\| (\d{3}) \|$", (root / "docs" / "errors.md").read_text("utf-8"), re.MULTILINE
    )
    kinds: list[type[PenstockError]] = PenstockError.__subclasses__()
    assert {kind: int(status) for kind, status in rows} == {kind.__name__: kind.http_status for kind in kinds}


def test_the_scan_sees_every_form() -> None:
    source = """
raise Invalid('a.b', 's')
raise errors.Refused('c.d' if x else 'e.f', 's')
raise Corrupt(word + '.x', 's')
def fail(self, row, code):
    raise NotFound(code, 's')
self.fail(1, 'g.h')
fail(1, code='i.j')
"""
    assert sorted((kind, str(code)) for kind, code, _ in raised(ast.parse(source))) == [
        ("Corrupt", "None"),
        ("Invalid", "a.b"),
        ("NotFound", "g.h"),
        ("NotFound", "i.j"),
        ("Refused", "c.d"),
        ("Refused", "e.f"),
    ]


def test_a_code_from_elsewhere_is_no_literal() -> None:
    assert [code for _, code, _ in raised(ast.parse("raise Invalid(code, 's')"))] == [None]

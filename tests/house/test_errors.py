"""Every error code is literal, well formed and explained in ``docs/errors.md``; no explanation outlives its code."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from penstock.errors import PenstockError

KINDS = {kind.__name__ for kind in PenstockError.__subclasses__()}
# A part that varies stands in angle brackets: one row explains the family.
CODE = re.compile(r"^(?:[a-z]|<\w+>)(?:[a-z0-9_]|<\w+>)*(?:\.(?:[a-z]|<\w+>)(?:[a-z0-9_]|<\w+>)*)+$")
ROW = re.compile(r"^\| `([^`]+)` \| ([A-Za-z, ]+) \| (\S.*) \|$", re.MULTILINE)


def raised(tree: ast.AST) -> Iterator[tuple[str, str | None, int]]:
    """Kind, code (None where it is not a literal) and line of each error that a module makes.

    A function may be handed the code in a parameter named ``code``, and a dataclass may have a field of that name;
    then whoever calls them in the module gives the literal. What the verifier of bundles finds is handed on as it is:
    its codes have a page of their own.
    """
    yield from of_subclasses(tree)
    handed = dict(forwarders(tree))
    elsewhere = set(handed_on(tree))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = name_of(node.func)
        if name in KINDS and node.args and not (handed and is_code(node.args[0])) and node not in elsewhere:
            yield from ((name, code, node.lineno) for code in literals(node.args[0]))
        elif name in handed:
            place, kinds = handed[name]
            yield from ((kind, code, node.lineno) for kind in kinds for code in literals(argument(node, place)))


def of_subclasses(tree: ast.AST) -> Iterator[tuple[str, str | None, int]]:
    """The codes that classes derived from a kind hand to its constructor."""
    for derived in (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
        for kind in {name_of(base) for base in derived.bases} & KINDS:
            calls = [node for node in ast.walk(derived) if isinstance(node, ast.Call) and node.args]
            built = [call for call in calls if ast.unparse(call.func) == "super().__init__"]
            yield from ((kind, code, call.lineno) for call in built for code in literals(call.args[0]))


def forwarders(tree: ast.AST) -> Iterator[tuple[str, tuple[int, set[str]]]]:
    """Functions and dataclasses that are handed a code: their name, its place among the arguments, the kinds raised."""
    scope: ast.AST
    form: type[ast.expr]
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            names = [arg.arg for arg in node.args.args if arg.arg not in ("self", "cls")]
            scope, form = node, ast.Name
        elif isinstance(node, ast.ClassDef):
            names = [ast.unparse(field.target) for field in node.body if isinstance(field, ast.AnnAssign)]
            scope, form = tree, ast.Attribute
        else:
            continue
        calls = [call for call in ast.walk(scope) if isinstance(call, ast.Call) and call.args]
        kinds = {name_of(c.func) for c in calls if isinstance(c.args[0], form) and is_code(c.args[0])} & KINDS
        if "code" in names and kinds:
            yield node.name, (names.index("code"), kinds)


def handed_on(tree: ast.AST) -> Iterator[ast.Call]:
    """Calls that pass on the code of a ``VerificationError`` where it is caught."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and node.type and name_of(node.type) == "VerificationError":
            calls = (call for call in ast.walk(node) if isinstance(call, ast.Call) and call.args)
            yield from (call for call in calls if ast.unparse(call.args[0]) == f"{node.name}.code")


def argument(call: ast.Call, place: int) -> ast.expr:
    """What a call hands over as the code, by name or by place."""
    return next((keyword.value for keyword in call.keywords if keyword.arg == "code"), None) or call.args[place]


def is_code(arg: ast.expr) -> bool:
    return "code" in (getattr(arg, "id", None), getattr(arg, "attr", None))


def name_of(func: ast.expr) -> str:
    return func.id if isinstance(func, ast.Name) else func.attr if isinstance(func, ast.Attribute) else ""


def literals(arg: ast.expr) -> list[str | None]:
    match arg:
        case ast.Constant(value=str(code)):
            return [code]
        case ast.IfExp(body=body, orelse=orelse):
            return literals(body) + literals(orelse)
        case ast.JoinedStr(values=parts):
            return ["".join(family(part) for part in parts)]
    return [None]


def family(part: ast.expr) -> str:
    """A part of an f-string: its text, or ``<name>`` for what varies."""
    if isinstance(part, ast.FormattedValue):
        return f"<{name_of(part.value).strip('_')}>"
    return str(ast.literal_eval(part))


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
@dataclass
class Breach:
    code: str
def check(breach):
    raise Unverified(breach.code, 's')
Breach('k.l')
try:
    verify(bundle)
except verify.VerificationError as error:
    raise Unverified(error.code, 's')
raise Conflict(f'm.{self._side}_twice', 's')
"""
    assert sorted((kind, str(code)) for kind, code, _ in raised(ast.parse(source))) == [
        ("Conflict", "m.<side>_twice"),
        ("Corrupt", "None"),
        ("Invalid", "a.b"),
        ("NotFound", "g.h"),
        ("NotFound", "i.j"),
        ("Refused", "c.d"),
        ("Refused", "e.f"),
        ("Unverified", "k.l"),
    ]


def test_a_code_from_elsewhere_is_no_literal() -> None:
    assert [code for _, code, _ in raised(ast.parse("raise Invalid(code, 's')"))] == [None]
    caught = "try:\n    x()\nexcept {} as error:\n    raise Unverified(error.code, 's')"
    assert [code for _, code, _ in raised(ast.parse(caught.format("OSError")))] == [None]
    assert not list(raised(ast.parse(caught.format("VerificationError"))))


def test_the_page_of_bundles_explains_exactly_the_codes_of_the_verifier(root: Path) -> None:
    page = (root / "docs" / "bundle.md").read_text("utf-8")
    source = (root / "src" / "penstock" / "trace" / "verify.py").read_text("utf-8")
    listed = re.findall(r"^\| `(bundle\.\w+)` \| [^|]+ \|$", page, re.MULTILINE)
    codes_of_verifier = {
        node.value
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.fullmatch(r"bundle\.\w+", node.value)
    }
    assert listed == sorted(codes_of_verifier)

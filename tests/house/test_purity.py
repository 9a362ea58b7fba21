"""The pure rooms replay: what they know of time, chance and files is an argument."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PURE_ROOMS = ("journal", "physics", "rates", "energy", "capital", "compute", "market", "trace")
PURE_VALUES = ("units.py", "span.py", "period.py", "money.py", "errors.py", "keys")
MODULES = {
    *("time", "random", "secrets", "uuid", "os", "io", "pathlib", "shutil", "tempfile", "glob", "sqlite3"),
    *("socket", "ssl", "http", "urllib", "subprocess", "threading", "multiprocessing", "asyncio", "logging"),
    *("httpx", "requests", "sqlalchemy", "web3", "fastapi", "typer"),
}
CALLS = {"open", "input", "print", "exec", "eval", "compile", "breakpoint"}
ATTRIBUTES = {
    *("datetime.now", "datetime.utcnow", "datetime.today", "date.today", "np.random", "numpy.random"),
    *(
        "np.load",
        "np.save",
        "np.fromfile",
        "np.memmap",
        "pq.read_table",
        "pq.write_table",
        "pa.memory_map",
        "pa.OSFile",
    ),
}


def impurities(tree: ast.AST) -> Iterator[str]:
    """Where a module reaches for a clock, dice or a file."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                found = (name.name for name in names if name.name != "os" and name.name.split(".")[0] in MODULES)
                yield from (f"line {node.lineno}: import {name}" for name in found)
            case ast.Attribute(value=ast.Name(id="os"), attr=attr) if attr != "cpu_count":  # that one changes no result
                yield f"line {node.lineno}: os.{attr}"
            case ast.ImportFrom(module=str(module), level=0) if (
                module.split(".")[0] in MODULES or module == "numpy.random"
            ):
                yield f"line {node.lineno}: from {module}"
            case ast.Call(func=ast.Name(id=name)) if name in CALLS:
                yield f"line {node.lineno}: {name}()"
            case ast.Attribute() if ast.unparse(node) in ATTRIBUTES:
                yield f"line {node.lineno}: {ast.unparse(node)}"


def test_the_pure_rooms_reach_for_no_clock_dice_or_file(modules: dict[Path, ast.Module]) -> None:
    pure = {path: tree for path, tree in modules.items() if path.parts[0] in (*PURE_ROOMS, *PURE_VALUES)}
    findings = [f"{path}: {finding}" for path, tree in pure.items() for finding in impurities(tree)]
    assert len(pure) >= len(PURE_VALUES)
    assert not findings, "take it as an argument from a use case or an edge:\n" + "\n".join(findings)


@pytest.mark.parametrize(
    "source",
    [
        "import time",
        "import os.path",
        "import os\nos.environ",
        "from random import choice",
        "from pathlib import Path",
        "open('x')",
        "from datetime import datetime\ndatetime.now()",
        "import numpy as np\nnp.random.default_rng()",
    ],
)
def test_the_lint_finds_an_impurity(source: str) -> None:
    assert list(impurities(ast.parse(source)))


def test_the_lint_lets_pure_code_pass() -> None:
    assert not list(
        impurities(ast.parse("from datetime import datetime\nimport hashlib\nre.compile('x')\nbook.open(1)"))
    )

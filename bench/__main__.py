"""Lists and runs the benchmarks; see README.md."""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from bench.result import SMALL, Result

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "RESULTS.md"
LIMIT_S = 1_800


def benchmarks() -> dict[str, str]:
    """Name (dashes for underscores) and first docstring line of every module here with a ``run``; none is imported."""
    found = {}
    for path in sorted(FOLDER.glob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if any(isinstance(node, ast.FunctionDef) and node.name == "run" for node in tree.body):
            found[path.stem.replace("_", "-")] = (ast.get_docstring(tree) or "").partition("\n")[0]
    return found


def run_here(name: str) -> Result:
    """The result of benchmark ``name``, run in this process."""
    return Result.of(importlib.import_module(f"bench.{name.replace('-', '_')}").run(), name)


def run_apart(name: str) -> Result | str:
    """The result of benchmark ``name`` from a process of its own, or why there is none."""
    command = [sys.executable, "-m", "bench", name, "--json"]
    try:
        done = subprocess.run(command, cwd=FOLDER.parent, capture_output=True, text=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return f"stopped after {LIMIT_S} s"
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        return (done.stderr.strip().splitlines() or ["no output"])[-1]
    return Result.of(json.loads(lines[-1]), name)


def machine() -> str:
    """Processor, cores, memory, system and Python, as they bear on the figures."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines() if Path("/proc/cpuinfo").exists() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    processor = models[0] if models else platform.machine()
    system = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return f"{processor}, {os.cpu_count()} cores, {memory_gb:.0f} GB, {system}"


def report(results: dict[str, Result | str]) -> str:
    """RESULTS.md: the table, then each benchmark's command and notes."""
    head = [
        "# Results",
        "",
        f"Made by `python -m bench all --write` on {datetime.now(UTC):%Y-%m-%d}. {machine()}.",
        "Medians of interleaved rounds; compile time excluded; equal results asserted before timing. Other load on the",
        "machine moves absolute figures more than ratios.",
        "",
        "| benchmark | ours | unit | peer | peer's figure | times better |",
        "|---|---|---|---|---|---|",
    ]
    return "\n".join([*head, *map(row, results.items()), *(line for item in results.items() for line in notes(item))])


def row(item: tuple[str, Result | str]) -> str:
    """One line of the table."""
    name, result = item
    if isinstance(result, str):
        return f"| {name} | failed: {result.replace('|', '/')} | | | | |"
    ratio = "" if result.ratio is None else f"{result.ratio:.1f}"
    peer = "" if result.peer is None else figure(result.peer)
    return f"| {name} | {figure(result.ours)} | {result.unit} | {result.peer_name or ''} | {peer} | {ratio} |"


def notes(item: tuple[str, Result | str]) -> list[str]:
    """A benchmark's command and notes."""
    name, result = item
    lines = [] if isinstance(result, str) else [f"- {note}" for note in result.notes]
    return ["", f"## {name}", "", f"`python -m bench {name}`", "", *lines]


def figure(value: float) -> str:
    """Three significant digits, with thousands apart."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def show(result: Result) -> str:
    """A result for a reader at the terminal."""
    text = f"{result.name}: {figure(result.ours)} {result.unit}"
    if result.ratio is not None and result.peer is not None:
        text += f"; {result.peer_name} {figure(result.peer)}; {result.ratio:.1f} times better"
    return "\n".join([text, *(f"  {note}" for note in result.notes)])


def main() -> int:
    """The command; 1 if a benchmark gave no result, 2 if there is no such benchmark."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Lists the benchmarks, or runs one or all.")
    parser.add_argument("name", nargs="?", help="a benchmark, or 'all'")
    parser.add_argument("--json", action="store_true", help="print one JSON object a benchmark")
    parser.add_argument("--write", action="store_true", help="with 'all': write RESULTS.md")
    parser.add_argument("--small", action="store_true", help="a quick run on fewer rows, where a benchmark has one")
    args, known = parser.parse_args(), benchmarks()
    if args.name is None:
        print("\n".join(f"{name:12} {line}" for name, line in known.items()))
        return 0
    if args.small:
        os.environ[SMALL] = "1"
    if args.name != "all" and args.name not in known:
        parser.error(f"no benchmark {args.name!r}; there are {', '.join(known)}")
    if args.name != "all":
        result = run_here(args.name)
        print(result.to_json() if args.json else show(result))
        return 0
    return run_all(list(known), as_json=args.json, write=args.write)


def run_all(names: list[str], *, as_json: bool, write: bool) -> int:
    """Every benchmark in turn, each in its own process; RESULTS.md at the end if asked for."""
    results: dict[str, Result | str] = {}
    for name in names:
        results[name] = result = run_apart(name)
        if isinstance(result, str):
            print(f"{name}: failed: {result}", file=sys.stderr)
        else:
            print(result.to_json() if as_json else show(result), flush=True)
    if write:
        RESULTS.write_text(report(results) + "\n", encoding="utf-8")
    return int(any(isinstance(result, str) for result in results.values()))


if __name__ == "__main__":
    raise SystemExit(main())

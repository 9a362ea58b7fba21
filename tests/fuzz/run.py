"""Coverage-guided fuzzing of every parser that takes bytes of others: `python tests/fuzz/run.py --target all --runs N`.

Each target runs in a process of its own, so that whatever brings one down - an overflowing stack, memory, time - is a
finding and not the end of the run. The input that did it is kept where it is told. Exit code 1: something was found.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import re
import sys
import tempfile
import time
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
INPUT_S = 20
"""No input may take longer."""
MEMORY_MB = 3_000
HOSTILE: tuple[bytes, ...] = (
    *(b"", b"[" * 4_000, b"a=" + b"[" * 4_000, b'{"a":' * 700, b"\x81" * 4_000, b"<a>" * 1_300, b"9" * 4_000),
    *(b'{"' + b'\\"' * 2_000, b"\xff" * 64, b"\x9b" + b"\x7f" * 8, b"NaN", b"-1e999"),
)
"""What every target begins with besides its own seeds: nested, endless, overflowing."""


@dataclass(frozen=True)
class Outcome:
    """What became of a target: runs made, edges of our code covered, inputs accepted, and what was found."""

    target: str
    runs: int
    covered: int
    accepted: int
    seconds: float
    crash: str = ""


def loaded() -> dict[str, Any]:
    """The targets, our own code instrumented while it is imported. Raises ImportError where there is no atheris."""
    import atheris

    with (
        contextlib.redirect_stderr(io.StringIO()),
        atheris.instrument_imports(include=["penstock"], enable_loader_override=False),
    ):
        from fuzz_targets import TARGETS
    return TARGETS


def fuzz(name: str, target: Any, runs: int, seed: int, keep: Path) -> Outcome:
    """One target, in a fork of this process."""
    asked = max(1, int(runs * target.share))
    with tempfile.TemporaryDirectory() as folder:
        log, start = Path(folder) / "log", time.monotonic()
        child = os.fork()
        if child == 0:
            _attack(name, target, asked, seed, Path(folder), keep)
        _, status = os.waitpid(child, 0)
        text, why = _text(log), _text(Path(folder) / "why")
        return _outcome(name, text, why, status, len(_text(Path(folder) / "accepted")), time.monotonic() - start)


def _attack(name: str, target: Any, runs: int, seed: int, folder: Path, keep: Path) -> None:
    """Never returns: libFuzzer ends the process."""
    import atheris

    said = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(said, 1)
    os.dup2(said, 2)
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, one in enumerate([*target.seeds(), *HOSTILE]):
        (corpus / f"seed-{number}").write_bytes(one)
    tally = os.open(folder / "accepted", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def once(data: bytes) -> None:
        try:
            if target.check(data):
                os.write(tally, b".")
        except BaseException:
            (folder / "why").write_text(traceback.format_exc(limit=-6))
            (keep / f"{name}-found").write_bytes(data)
            raise

    flags = [
        f"-runs={runs}", f"-seed={seed}", f"-max_len={target.longest}", f"-timeout={INPUT_S}", "-len_control=0",
        f"-rss_limit_mb={MEMORY_MB}", f"-artifact_prefix={keep}/{name}-", str(corpus),
    ]  # fmt: skip
    try:
        atheris.Setup([f"fuzz-{name}", *flags], once)
        atheris.Fuzz()
    finally:
        os._exit(77)  # a finding unwinds to here; the folder is the parent's to clear away


def _text(path: Path) -> str:
    return path.read_text("utf-8", "replace") if path.exists() else ""


def _outcome(name: str, text: str, why: str, status: int, accepted: int, seconds: float) -> Outcome:
    covered = [int(found) for found in re.findall(r" cov: (\d+)", text)]
    runs = [int(found) for found in re.findall(r"^(?:Done |#)(\d+)", text, re.MULTILINE)]
    code = os.waitstatus_to_exitcode(status)
    crash = "" if code == 0 else f"exit {code}\n{why or text[-2_000:]}"
    return Outcome(name, max(runs, default=0), max(covered, default=0), accepted, round(seconds, 1), crash)


def main(arguments: list[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target", default="all", help="a name, several with commas, or all")
    parser.add_argument("--runs", type=int, default=2_000, help="inputs a target; slow ones take their share")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, default=Path(tempfile.gettempdir()), help="where findings are kept")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args(arguments)
    try:
        targets = loaded()
    except ImportError as error:
        print(f"Nothing was fuzzed: {error.name} is not installed here.", file=sys.stderr)
        return 0
    names = list(targets) if asked.target == "all" else asked.target.split(",")
    if set(names) - targets.keys():
        parser.error(f"known targets: {', '.join(targets)}")
    outcomes = []
    for name in names:
        outcomes.append(fuzz(name, targets[name], asked.runs, asked.seed, asked.keep))
        if not asked.json:
            show(outcomes[-1])
    if asked.json:
        print(json.dumps([asdict(one) for one in outcomes], indent=1))
    else:
        total, found = sum(one.runs for one in outcomes), [one.target for one in outcomes if one.crash]
        print(f"{len(outcomes)} targets, {total:,} runs, {len(found)} with findings {' '.join(found)}")
    return 1 if any(one.crash for one in outcomes) else 0


def show(one: Outcome) -> None:
    """A line a target."""
    said = (
        f"{one.target:18} {one.runs:>10,} runs {one.accepted:>8,} accepted {one.covered:>6,} edges {one.seconds:>7} s"
    )
    print(said, "" if not one.crash else f"  FOUND\n{one.crash}", flush=True)


if __name__ == "__main__":
    sys.exit(main())

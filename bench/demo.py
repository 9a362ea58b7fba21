"""The whole demo, once: seconds, with peak memory, seconds a stage, and how fast --help starts in the notes.

Goals: two minutes, 1 GB, 200 ms. There is no peer: nothing else plays the same week.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from bench.result import Result, seconds

PENSTOCK = (sys.executable, "-m", "penstock")
HELP_ROUNDS = 11


def help_ms() -> list[float]:
    """Wall-clock milliseconds of `penstock --help`, sorted; the first call, which fills caches, left out."""

    def ask() -> None:
        subprocess.run([*PENSTOCK, "--help"], stdout=subprocess.DEVNULL, check=True)

    ask()
    return sorted(seconds(ask) * 1_000 for _ in range(HELP_ROUNDS))


def played() -> tuple[float, dict[str, float]]:
    """Seconds of one demo in a fresh workspace, and of each of its stages."""
    with tempfile.TemporaryDirectory(prefix="penstock-bench-") as folder:
        command = [*PENSTOCK, "demo", "--workspace", str(Path(folder) / "workspace"), "--json"]
        out = Path(folder) / "told.json"
        with out.open("wb") as told:
            took = seconds(lambda: subprocess.run(command, stdout=told, check=True))
        stages = json.loads(out.read_bytes())["stages"]
        assert stages["prove"]["audit"]["clean"]
        return took, {name: figures["seconds"] for name, figures in stages.items()}


def peak_mb() -> float:
    """The most memory any process run so far by this one held, itself or below it [MB]."""
    scale = 1 if sys.platform == "darwin" else 1_024
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * scale / 1e6


def run() -> Result:
    """One demo, and --help eleven times."""
    starts = help_ms()
    took, stages = played()
    notes = (
        "stages: " + ", ".join(f"{name} {stage:.1f} s" for name, stage in stages.items()),
        f"peak memory of its largest process: {peak_mb():,.0f} MB (goal 1,000)",
        f"penstock --help: median {median(starts):.0f} ms of {HELP_ROUNDS}, best {starts[0]:.0f} (goal 200)",
        f"{os.cpu_count()} cores; three attesters run beside it as processes of their own",
    )
    return Result(name="demo", ours=took, unit="s", notes=notes)

"""A report's files: the page for people, JSON for machines, CSV for spreadsheets."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from penstock.journal.segment import Column
from penstock.period import HOUR_US, iso
from penstock.usecases.report_247 import pictures
from penstock.usecases.report_247.build import Report
from penstock.usecases.report_247.words import kwh, per_cent, short, tonnes, tonnes_down
from penstock.usecases.workspace import Workspace

SITES_SHOWN: Final = 25
FACTS_SHOWN: Final = 12
FILES: Final = ("report.html", "report.json", "hours.csv", "sites.csv", "claims.csv")


def environment() -> Environment:
    """The template with its filters; all text escaped."""
    made = Environment(
        loader=PackageLoader("penstock.usecases.report_247"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters |= {"kwh": kwh, "tonnes": tonnes, "tonnes_down": tonnes_down, "per_cent": per_cent, "short": short}
    made.filters["spans"] = seq_spans
    return made


def html_of(told: dict[str, Any]) -> str:
    """The page: one file, without a script or anything to fetch."""
    evidence = told["evidence"]
    by_seq = {fact["seq"]: fact for fact in evidence["facts"]}
    groups = [(name, [by_seq[seq] for seq in seqs]) for name, seqs in evidence["groups"].items() if seqs]
    shown = {
        "told": told,
        "figures": told["figures"],
        "groups": groups,
        "facts_shown": FACTS_SHOWN,
        "sites": told["sites"][:SITES_SHOWN],
        "emissions": pictures.emissions(told["figures"]),
        "months": pictures.months(told["months"]),
        "heat": pictures.heat(told["heat"]),
    }
    return environment().get_template("report.html").render(shown)


def seq_spans(seqs: Sequence[int]) -> str:
    """Fact numbers, those that follow each other as a run: ``3-9, 12``."""
    runs: list[list[int]] = []
    for seq in seqs:
        if runs and seq == runs[-1][1] + 1:
            runs[-1][1] = seq
        else:
            runs.append([seq, seq])
    text = ", ".join(f"{first}–{last}" if last > first else str(first) for first, last in runs[:8])
    return f"{text} and {len(runs) - 8} more runs" if len(runs) > 8 else text


def write_report(workspace: Workspace, made: Report, folder: Path) -> list[Path]:
    """Write all files; each appears whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = (html_of(made.told), json.dumps(made.told, indent=1, ensure_ascii=False) + "\n")
    for name, text in zip(FILES[:2], texts, strict=True):
        _put(folder / name, [text])
    _put_csv(folder / FILES[2], hour_rows(made))
    _put_csv(folder / FILES[3], (list(row.values()) for row in _headed(made.told["sites"])))
    _put_csv(folder / FILES[4], claim_rows(workspace, made))
    return [folder / name for name in FILES]


def _headed(rows: Sequence[dict[str, Any]]) -> Iterable[dict[str, Any]]:
    yield {name: name for name in rows[0]}
    yield from rows


def hour_rows(made: Report) -> Iterable[Sequence[object]]:
    """A row a zone and hour: energy, factors, and the fact and row of the factors."""
    heads = ("zone", "hour", "drawn_wh", "matched_wh", "average_mg_per_kwh", "residual_mg_per_kwh")
    yield (*heads, "marginal_mg_per_kwh", "carbon_free_bp", "factor_fact", "factor_row")
    start_us = made.request.period.start_us
    for number, zone in enumerate(made.known.scope.zones):
        grid = made.known.grid[number]
        columns: list[Column] = [made.figures.drawn[number], made.figures.matched[number]]
        columns += [grid.average, grid.residual, grid.marginal, grid.carbon_free_bp, grid.seq, grid.row]
        for hour, row in enumerate(np.column_stack(columns).tolist()):
            yield (zone, iso(start_us + hour * HOUR_US), *row)


def claim_rows(workspace: Workspace, made: Report) -> Iterable[Sequence[object]]:
    """A row a claimed part of a certificate: both spans, its hour, what counts of it, which fact and row claimed it."""
    yield (
        "drawn_register", "drawn_start", "drawn_stop", "certificate_register", "certificate_start", "certificate_stop",
        "certificate_hour", "counted_wh", "claim_fact", "claim_row", "issue_lot",
    )  # fmt: skip
    claims, scope = made.used.claims, made.known.scope
    numbers = np.unique(np.r_[scope.register, claims["source"]]).tolist()
    urns = workspace.read(lambda world: {one: world.books.registers.urn(one) for one in numbers})
    names = ("start", "stop", "source", "source_start", "source_stop", "interval_us", "lot")
    rows = zip(*(claims[name].tolist() for name in names), strict=True)
    drawn = scope.register[claims["row"]].tolist()
    placed = zip(made.links["seq"][claims["link"]].tolist(), made.links["row"][claims["link"]].tolist(), strict=True)
    every = zip(drawn, rows, made.figures.counted.tolist(), placed, strict=True)
    for register, (start, stop, source, low, high, at_us, lot), counted, (seq, row) in every:
        yield urns[register], start, stop, urns[source], low, high, iso(at_us), counted, seq, row, lot


def _put_csv(path: Path, rows: Iterable[Sequence[object]]) -> None:
    draft = path.with_name(path.name + ".new")
    with draft.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
    draft.replace(path)


def _put(path: Path, texts: Sequence[str]) -> None:
    draft = path.with_name(path.name + ".new")
    draft.write_text("".join(texts), encoding="utf-8")
    draft.replace(path)

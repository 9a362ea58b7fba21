"""A report's files: the page for people, JSON for machines, CSV for spreadsheets."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from penstock.usecases.investor_report import pictures, words
from penstock.usecases.report_247.page import seq_spans
from penstock.usecases.report_247.words import short

Row = dict[str, Any]
FACTS_SHOWN: Final = 12
NAMES_SHOWN: Final = 5
PERIODS_SHOWN: Final = 60
TABLES: Final = ("steps", "tranches", "accounts", "fees", "tests", "history")
"""Parts of a report that are tables."""
GROUPS: Final = {
    "deal": "the deal's text, its place on chain, what holders voted",
    "before": "earlier closes",
    "close": "this close",
    "report": "the attested report",
    "pulls": "tranches that took their income",
    "servicing": "bills, collections, write-offs",
    "assets": "assets pledged, the servicer's tape",
}


def environment() -> Environment:
    """The template with its filters; all text escaped."""
    made = Environment(
        loader=PackageLoader("penstock.usecases.investor_report"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    made.filters |= {name: getattr(words, name) for name in ("usdc", "ratio", "bound", "per_cent", "bound_by", "day")}
    made.filters |= {"short": short, "spans": seq_spans}
    made.globals["measured"] = words.measured
    return made


def html_of(told: Row) -> str:
    """The page: one file, without a script or anything to fetch."""
    by_seq = {fact["seq"]: fact for fact in told["evidence"]["facts"]}
    groups = [(name, [by_seq[seq] for seq in seqs]) for name, seqs in told["evidence"]["groups"].items() if seqs]
    shown = {
        "told": told,
        "groups": groups,
        "group_names": GROUPS,
        "facts_shown": FACTS_SHOWN,
        "names_shown": NAMES_SHOWN,
    }
    return environment().get_template("report.html").render(shown | drawn(told))


def drawn(told: Row) -> dict[str, Any]:
    """The pictures."""
    past = told["history"][-PERIODS_SHOWN:]
    states = list(dict.fromkeys([*told["states"], *(row["state"] for row in past)]))
    pairs: list[tuple[Row, Markup, Markup]] = [
        (test, pictures.headroom(test), pictures.ratios(past, test) if len(past) > 1 else Markup(""))
        for test in told["tests"]
    ]
    return {
        "uses": pictures.uses(told["uses"]),
        "tests": pairs,
        "balances": pictures.stacked(past, "balances_usdc_micro", "Balances of the tranches, period by period"),
        "balances_key": pictures.legend(past, "balances_usdc_micro"),
        "paid": pictures.stacked(past, "paid_usdc_micro", "What was paid to whom, period by period"),
        "paid_key": pictures.legend(past, "paid_usdc_micro"),
        "states": pictures.states(past, states),
    }


def json_of(told: Row) -> str:
    """The report for machines, and for whoever checks it."""
    return json.dumps(told, indent=1, ensure_ascii=False) + "\n"


def csv_of(told: Row, table: str) -> str:
    """One of the `TABLES`: a head, then a row each; what nests is spread over columns."""
    rows = [dict(_flat(row)) for row in told[table]]
    heads = list(dict.fromkeys(name for row in rows for name in row))
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(heads)
    writer.writerows([_plain(row.get(name)) for name in heads] for row in rows)
    return file.getvalue()


def _flat(row: Row, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        elif isinstance(value, list):
            for at, one in enumerate(value, 1):
                yield from _flat(one, f"{prefix}{name}.{at}.")
        else:
            yield f"{prefix}{name}", value


def _plain(value: object) -> object:
    """Nothing for None; text that a spreadsheet would run is kept from it."""
    if isinstance(value, str) and value[:1] in "=+-@\t\r":
        return "'" + value
    return "" if value is None else value


def write_report(told: Row, folder: Path) -> list[Path]:
    """Write all files; each appears whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {"report.html": html_of(told), "report.json": json_of(told)}
    texts |= {f"{table}.csv": csv_of(told, table) for table in TABLES}
    return list(_put_all(folder, texts.items()))


def _put_all(folder: Path, texts: Iterable[tuple[str, str]]) -> Iterator[Path]:
    for name, text in texts:
        draft = folder / f"{name}.new"
        draft.write_text(text, encoding="utf-8")
        draft.replace(folder / name)
        yield folder / name

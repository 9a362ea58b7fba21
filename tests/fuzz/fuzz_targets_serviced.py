"""What a deal is fed with: its program's bytes, tables of its assets, a servicer's files, rows of names."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cbor2
import fuzz_kit as kit
import numpy as np
from fuzz_kit import Target, must
from fuzz_targets_deal import EVERY, FILES

from penstock.capital.asset_table import read_assets
from penstock.capital.ceiling import gas_ceiling
from penstock.capital.compile import compile_deal
from penstock.capital.decode import LIMIT, decode
from penstock.capital.exact import close_period, opening_state
from penstock.capital.language import load_deal
from penstock.capital.report import Report
from penstock.errors import Invalid, PenstockError, Refused
from penstock.journal.asset_rows import key_of, pledged_names, read_names, write_names
from penstock.usecases.servicing.collect import read_payments
from penstock.usecases.servicing.rows import read_strings

CASH = 10**12
ASSETS = (
    b"asset,contract,offtaker,obligor,region,kind,technology,assurance,related,balance_usdc,rate_percent,starts,ends,"
    b"first_due,term_periods,registers\n"
    b"loan-1,c-1,utility,home-1,CO,loan,solar_pv,meter_signed,no,4000,8,2025-01-01,2035-01-01,2026-01-15,100,roof-1\n"
    b'loan-2,c-2,"a, b",home-2,UT,loan,none,declared,yes,"1,234.56",5.75 %,2025-01-01,2035-01-01,2026-01-15,12,\n'
)
PAYMENTS = (
    b"asset,kind,usdc,received,payer,bill\n"
    b"loan-1,interest,12.50,2026-01-20T12:00:00Z,home,\n"
    b"loan-2,principal,0.000001,2026-01-20,home,2026-01\n"
)
PARQUET = (
    {"asset": ["loan-1"], "kind": ["revenue"], "usdc": ["7"], "received": ["2026-01-20"], "payer": ["home"]},
    {"asset": ["a"], "kind": ["call"], "usdc": ["1"], "received": ["2026-01-20"], "payer": ["x"], "bill": [None]},
)


@functools.cache
def _place() -> Path:
    return Path(tempfile.mkdtemp())


def programs() -> list[bytes]:
    """Programs without a schedule: of one the rows would have to come along."""
    found = [compile_deal(load_deal(path.read_text())) for path in (*FILES, EVERY)]
    return [one.code for one in found if not one.rows] or [found[0].code]


def program(raw: bytes) -> bool:
    """What the checker lets through runs: cash is where it was or where it was paid, whatever was reported."""
    try:
        decoded = decode(raw)
    except Invalid as error:
        must(error.code == "program.malformed", f"another parser's code: {error.code}")
        return False
    must(gas_ceiling(raw) > 0, "a ceiling")
    if decoded.layout.rows:
        return True
    start = opening_state(raw)
    end_s = decoded.layout.starts_s(1)
    for measures in ((0, 0, 0), (-1, LIMIT, 1), (2**62, 5, -(2**62))):
        try:
            closing = close_period(raw, start, Report.of(measures, end_s, 2**32 - 1), CASH, end_s + 2**32)
        except Refused as error:
            must(error.code.startswith("deal."), f"another code: {error.code}")
            continue
        lanes = [closing.state.lane(at) for at in range(4 * len(closing.state.words))]
        must(all(0 <= lane <= LIMIT for lane in lanes if lane != closing.flags), "lanes stay within bounds")
        must(sum(lanes[4 : decoded.layout.cash_end]) == closing.state.taken_in == CASH, "no dollar is lost or made")
    return True


def accepted(read: Callable[[], Any], *codes: str) -> Any:
    """What is read; None where it is refused by one of these codes, with a sentence."""
    try:
        return read()
    except PenstockError as error:
        must(error.code in codes and error.message, f"another parser's code: {error.code}")
        return None


def assets(raw: bytes) -> bool:
    file = _place() / "assets.csv"
    file.write_bytes(raw)
    found = accepted(
        lambda: read_assets(read_strings(file)), "servicing.file", "assets.malformed", "assets.empty", "assets.too_many"
    )
    if found is None:
        return False
    for name in ("balance_usdc_micro", "value_usdc_micro", "payment_usdc_micro"):
        must((getattr(found, name) >= 0).all() and (getattr(found, name) <= 2**53).all(), f"{name} fits")
    must((found.ends_us > found.start_us).all(), "a contract ends after it starts")
    must(len(found.registers) == len(found), "registers for each")
    return True


def payments(ending: str, raw: bytes) -> bool:
    file = _place() / f"payments{ending}"
    file.write_bytes(raw)
    found = accepted(lambda: read_payments(file), "servicing.file")
    if found is None:
        return False
    must(all(type(one.usdc_micro) is int and one.usdc_micro >= 0 for one in found), "whole, and not negative")
    must(all(one.received_us >= 0 and one.asset and one.payer for one in found), "all that a payment needs")
    return bool(found)


def named(raw: bytes) -> bool:
    column = np.empty(1, dtype=object)
    column[0] = raw
    rows = accepted(lambda: read_names(column), "asset.named")
    if rows is None:
        return False
    must(read_names(write_names(rows)) == rows, "written again it is the same")
    must(all(key_of(key_of(name)) == key_of(name) for name in pledged_names(rows)), "a spelling has one key")
    return True


def rows_of_names() -> list[bytes]:
    return [
        cbor2.dumps(["loan-1", "c-1", "utility", "home", "CO", ["roof-1", "Roof 2"]]),
        cbor2.dumps(["a", *[""] * 4, []]),
    ]


SERVICED: dict[str, Target] = {
    "program": Target(programs, program, share=0.1),
    "assets": Target(lambda: [ASSETS], assets, share=0.25),
    "payments_csv": Target(lambda: [PAYMENTS], functools.partial(payments, ".csv"), share=0.5),
    "payments_parquet": Target(lambda: kit.parquet_files(PARQUET), functools.partial(payments, ".parquet"), share=0.25),
    "named": Target(rows_of_names, named),
}

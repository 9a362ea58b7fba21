"""Targets of the registry: files of rows, of other registries and of grids, methods, texts to sign in, proposals,
bodies of the EnergyTag interface, reports to be checked."""

from __future__ import annotations

import functools
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import fuzz_kit as kit
import numpy as np
import pyarrow as pa
from fuzz_kit import INT64_MAX, Target, must
from pydantic import BaseModel, ValidationError

from penstock.api.acts import instant_us
from penstock.api.energytag import forms, words
from penstock.energy.carbon.credit import check_method
from penstock.energy.foreign_csv import RowVerdict, read_foreign
from penstock.errors import Invalid, NotFound, Unverified
from penstock.usecases import sign_in
from penstock.usecases.registry.bulk import _numbers, read_table
from penstock.usecases.registry.factors import HEADS, factors_of_csv, method_of_text
from penstock.usecases.registry.proposable import asked_of_json, read_asked, written
from penstock.usecases.report_247.build import REPORT, check_report, read_report, request_of

BULK = (("register", "start", "stop", "target"), ("register", "position"), ("register", "start", "stop"))
SPANS: dict[str, Any] = {"register": ["roof/export", "hill/export"], "start": [0, 7], "stop": [7, 9]}
BODIES: tuple[type[BaseModel], ...] = (
    *(forms.QueryAsked, forms.ActionAsked, forms.RecurringAsked, forms.ClaimAsked, forms.CreateAsked),
    *(forms.AccountAsked, forms.WhitelistUpdate, forms.StorageAsked, forms.StorageWithdrawAsked, forms.SdgcAsked),
)
ENERGYTAG = (
    b"issuing_body,device_id,certificate_bundle_id_range_start,certificate_bundle_id_range_end,bundle_quantity,"
    b"face_value,energy_source,production_starting_interval,production_ending_interval,expiry_datestamp,"
    b"issue_market_zone,emissions_factor_production_device,is_storage,certificate_status\n"
    b"other.example,turbine-9,0,999,1000,1,wind,2016-01-01T00:00:00Z,2016-01-01T01:00:00Z,,NO,1.25,False,Active\n"
)
IREC = (
    b"Production Device,From Certificate ID,To Certificate ID,Number of Certificates,Energy Source,Country,"
    b"Production Period Start,Production Period End,CO2 produced (kg per MWh)\n"
    b"dam-1,0000-0001-2345-6789.000000,0000-0001-2345-6790.999999,2,Hydro-electric head,NO,2016-01-01,2016-01-31,0\n"
)
WALLET = (
    "registry.example wants you to sign in with your Ethereum account:\n0x52908400098527886E0F7030069857D2E4169EE7\n\n"
    "I accept the rules.\n\nURI: https://registry.example\nVersion: 1\nChain ID: 1\nNonce: a1b2c3d4e5f6\n"
    "Issued At: 2026-01-01T00:00:00Z\nExpiration Time: 2026-01-01T01:00:00Z"
)
METHOD = b"""method: displaced-marginal
version: "1"
baseline: marginal
source: grid.example
factors_version: "2025"
additionality: no other support
commissioned_from: 2025-01-01T00:00:00Z
crediting_years: 10
technologies: [solar_pv]
assurance: meter_signed
buffer_bp: 1000
buffer: displaced-marginal/buffer
"""


def accepted(read: Callable[[], Any], *codes: str) -> Any:
    """What ``read`` gives, None where it refuses by one of these codes; all else comes out."""
    try:
        return read()
    except (Invalid, Unverified) as error:
        must(error.code in codes, f"another parser's code: {error.code}")
        return None


@functools.cache
def _place() -> Path:
    return Path(tempfile.mkdtemp(prefix="fuzz-bulk-"))


def bulk_rows(ending: str, raw: bytes) -> bool:
    """A file of rows; the first byte says which act's columns it needs."""
    if not raw:
        return False
    file, names = _place() / f"rows{ending}", BULK[raw[0] % len(BULK)]
    file.write_bytes(raw[1:])
    table = accepted(lambda: read_table(file, names), "bulk.file")
    if table is None:
        return False
    must(sorted(table.column_names) == sorted(names), "the columns that were asked for")
    must(all(not column.null_count for column in table.columns), "no empty cell")
    numbers = _numbers(table, "register", _known)
    must(len(numbers) == table.num_rows and set(numbers.tolist()) <= {-1, 3}, "a number for each name")
    must(all(table[name].to_numpy().dtype == np.int64 for name in names if name not in ("register", "target")), "whole")
    return bool(table.num_rows)


def _known(name: str) -> int:
    if name != "roof/export":
        raise NotFound("register.unknown", "There is no such register.")
    return 3


def bulk_csv() -> list[bytes]:
    return [
        b"\x00register,start,stop,target\nroof/export,0,7,buyer\n",
        b"\x01register,position\nroof/export,5\nhill/export,9\n",
        b'\x02stop,register,start\n7,"roof/export",0\n',
    ]


def bulk_parquet() -> list[bytes]:
    return [b"\x02" + raw for raw in kit.parquet_files([SPANS, SPANS | {"more": [1.5, 2.5]}])] + [
        b"\x02" + raw for raw in kit.parquet_files([SPANS | {"start": pa.array([0, 7], pa.int32())}, SPANS])
    ]


def under(head: bytes, raw: bytes) -> bytes:
    """Rows under a first line that names the fields well; the whole file where it begins with ``!``."""
    return raw[1:] if raw[:1] == b"!" else head + raw


def foreign(form: str, raw: bytes) -> bool:
    """Certificates of another registry: every row has a verdict, and what is offered adds up."""
    raw = under((ENERGYTAG if form == "energytag" else IREC).splitlines(keepends=True)[0], raw)
    offered = accepted(lambda: read_foreign(raw, form, "other.example"), "import.file", "import.header", "import.form")
    if offered is None:
        return False
    columns = offered.columns
    must(all(len(column) == len(offered) for column in columns.values()), "columns are equally long")
    must(all(json.loads(row) for row in offered.said), "what a row says is kept as JSON")
    fine = columns["verdict"] == RowVerdict.ACCEPTED
    first, last, face_wh = (columns[name][fine].tolist() for name in ("first", "last", "face_wh"))
    energy = columns["energy"][fine].tolist()
    for low, high, wh, said in zip(first, last, face_wh, energy, strict=True):
        must(0 <= low <= high < INT64_MAX and wh >= 1, "numbers run upwards")
        must((high - low + 1) * wh == said <= INT64_MAX, "the quantity is that of the numbers")
    must((columns["start"][fine] < columns["stop"][fine]).all(), "an interval ends after it starts")
    return bool(fine.any())


def rows_and_file(file: bytes) -> list[bytes]:
    return [file.split(b"\n", 1)[1], b"!" + file]


def factors(raw: bytes) -> bool:
    text = under(",".join(HEADS).encode() + b"\n", raw).decode("utf-8", "replace")
    found = accepted(lambda: factors_of_csv(text), "factors.csv", "factors.too_many")
    if found is None:
        return False
    zones, columns = found
    must(all(len(column) == len(columns["zone"]) for column in columns.values()), "columns are equally long")
    must(((columns["zone"] >= 0) & (columns["zone"] < max(len(zones), 1))).all(), "a zone for each row")
    must(all((columns[name] >= -1).all() for name in ("average", "residual", "marginal")), "no negative figure")
    return bool(zones)


def factor_files() -> list[bytes]:
    head = ",".join(HEADS).encode()
    row = b"north,2025-01-01T00:00:00Z,2025-01-01T01:00:00+00:00,100.0005,,4e2,55.555\n"
    return [row, b"!" + head + b'\r\n"so,uth",2025-01-01T00:00:00Z,2026-01-01T00:00:00Z,,,,\r\n']


def method(raw: bytes) -> bool:
    found = accepted(lambda: method_of_text(raw.decode("utf-8", "replace")), "method.malformed")
    if found is None:
        return False
    texts = (found.method, found.version, found.source, found.factors_version, found.additionality, found.buffer)
    must(all(type(text) is str for text in texts), "texts are texts")
    try:
        check_method(found)
    except Invalid as error:
        must(error.code.startswith("method."), error.code)
    return True


def signing_in(raw: bytes) -> bool:
    text = raw.decode("utf-8", "replace")
    said = accepted(lambda: sign_in.parse(text), "sign_in.text")
    if said is None:
        return False
    must(len(said.address) == 20 and said.chain_id >= 0, "an address and a chain")
    must(text.startswith((said.domain, f"https://{said.domain}")) or "://" in text, "the domain stands first")
    must(f"\nNonce: {said.nonce}\n" in text and "\r" not in text, "a nonce of one line")
    return True


def proposal(raw: bytes) -> bool:
    """An act as people write it is the same when it is read again as a proposal keeps it."""
    asked = accepted(lambda: asked_of_json(raw), "proposal.json", "proposal.act")
    if asked is None:
        return False
    must(read_asked(_proposed(written(asked))) == asked, "a proposal has one form")
    return True


def _proposed(asked: str) -> Any:
    """All that `read_asked` looks at."""
    return type("Proposed", (), {"asked": asked})()


def proposals() -> list[bytes]:
    sale = {"account": "roof-a", "target": "buyer", "selection": {"quantity_wh": 60_000}}
    named = sale | {"selection": {"spans": [{"register": "r", "start": 0, "stop": 9}], "technology": "solar_pv"}}
    acts = {
        "Hours": {"account": "a", "start_us": 0, "stop_us": 5},
        "MemberPlaced": {"organisation": "o", "member": "m", "roles": ["trader"]},
        "WhitelistStated": {"account": "a", "sources": ["b"]},
    }
    told = [{"act": name, "asked": said} for name, said in acts.items()]
    told += [{"act": "Transfer", "asked": said} for said in (sale, named)]
    return [json.dumps(one).encode() for one in told]


def energytag_body(raw: bytes) -> bool:
    """A body of the EnergyTag interface; the first byte says of which path."""
    if not raw:
        return False
    try:
        body = BODIES[raw[0] % len(BODIES)].model_validate_json(raw[1:])
    except ValidationError:
        return False
    if isinstance(body, forms.Narrowed):
        accepted(lambda: words.spans_named(body.granular_certificate_bundle_ids), "certificate.id")
        accepted(lambda: words.read_issuance_id(body.source_certificate_issuance_id or ""), "energytag.issuance_id")
        accepted(lambda: words.technology_of(body.energy_source), "energytag.energy_source")
        for text in (body.certificate_period_start, body.certificate_period_end):
            at_us = accepted(lambda text=text: instant_us(text), *INSTANT)  # type: ignore[misc]
            must(at_us is None or 0 <= at_us <= INT64_MAX, "an instant fits")
    share = getattr(body, "certificate_bundle_percentage", None)
    must(share is None or 1 <= words.basis_points(share) <= 10_000, "a share is of a whole")
    quantity_wh = getattr(body, "certificate_quantity", None)
    must(quantity_wh is None or 0 < quantity_wh <= INT64_MAX, "a quantity fits")
    return True


INSTANT = ("period.malformed", "period.naive", "period.before_1970")


def bodies() -> list[bytes]:
    some = {
        "source_id": 1, "granular_certificate_bundle_ids": ["roof/export@0-9"], "certificate_quantity": 5,
        "certificate_bundle_percentage": "12.5", "certificate_period_start": "2026-01-01T00:00:00Z", "target_id": 2,
        "energy_source": "Solar",
    }  # fmt: skip
    query = {"source_id": 1, "source_certificate_issuance_id": "roof/export@2026-01-01T00:00:00Z", "limit": 7}
    create = {"issue_market_zone": "NO", "interval_seconds": 900, "emissions_factor_production_device": 1.25}
    recurring = {"source_id": 1, "certificate_quantity": 4, "initial_action_datetime": "2026-01-01T00:00:00Z"}
    each = ((0, query), (1, some), (2, recurring), (3, {**some, "consumer_ids": [3]}), (4, create))
    return [bytes([number]) + json.dumps(said).encode() for number, said in each]


def report(raw: bytes) -> bool:
    """A report that somebody shows: read, its request understood, its proofs checked."""
    said = accepted(lambda: read_report(raw.decode("utf-8", "replace")), "report.malformed")
    if said is None:
        return False
    accepted(lambda: request_of(said.get("request")), "report.malformed")
    return accepted(lambda: check_report(said), "report.malformed", "report.evidence") is not None


def reports() -> list[bytes]:
    request = {
        "start": "2026-01-01T00:00:00Z", "stop": "2026-02-01T00:00:00Z", "account": "a", "sites": ["roof"],
        "factors": {"source": "grid", "version": "1"}, "annual": None, "time_zone": "UTC",
    }  # fmt: skip
    fact = {"seq": "0", "body": "{}", "proof": []}
    root = "5b89c4e30c64c02e5ba5efd1bd3b2ae9bdb0ca1dc1e1e8ac0ab1d1d6e9d3d2c5"
    told = {"report": REPORT, "request": request, "facts": 1, "evidence": {"root": root, "size": 1, "facts": []}}
    more = told | {"evidence": {"root": root, "size": 1, "facts": [fact]}}
    return [json.dumps(one).encode() for one in (told, more)]


REGISTRY: dict[str, Target] = {
    "bulk_csv": Target(bulk_csv, functools.partial(bulk_rows, ".csv")),
    "bulk_parquet": Target(bulk_parquet, functools.partial(bulk_rows, ".parquet"), share=0.5),
    "import_energytag": Target(lambda: rows_and_file(ENERGYTAG), functools.partial(foreign, "energytag"), share=0.5),
    "import_irec": Target(lambda: rows_and_file(IREC), functools.partial(foreign, "irec"), share=0.5),
    "factors": Target(factor_files, factors),
    "method": Target(lambda: [METHOD], method, share=0.5),
    "sign_in": Target(lambda: [WALLET.encode()], signing_in),
    "proposal": Target(proposals, proposal),
    "energytag_body": Target(bodies, energytag_body),
    "report": Target(reports, report, longest=8_192),
}

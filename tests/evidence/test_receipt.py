"""A provider's papers, checked offline: each way to change one has its own code, even where it is signed again."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import re
import struct
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from penstock.compute.energy_receipt import receipt_of
from penstock.compute.work import Metered, WorkReport, seal_report
from penstock.keys import SigningKey, derive_seed
from penstock.keys.dsse import BILL, STATEMENT, Envelope, canonical, seal, statement
from penstock.period import Period
from penstock.trace import receipt
from penstock.trace.receipt import VerificationError, verify

ROOT = Path(__file__).resolve().parents[2]
KEY, OTHER = (SigningKey(derive_seed(b"papers", who)) for who in ("provider", "attacker"))
COUNT, ROW = 5, 3
ANSWERS = [b"answer %d" % row for row in range(COUNT)]
Said = dict[str, Any]
Damage = Callable[[Said], None]


def cells(*parts: bytes) -> Any:
    return np.frombuffer(b"".join(hashlib.sha256(part).digest() for part in parts), np.uint8).reshape(-1, 32)


@cache
def report() -> WorkReport:
    number = np.arange(COUNT, dtype=np.int64)
    rows: dict[str, Any] = {
        "number": number + 40,
        "arrived_us": number + 1_000,
        "first_us": number + 1_001,
        "done_us": number + 1_002,
        "prompt_tokens": number + 7,
        "output_tokens": number * 0,
        "time_ms": number + 1,
        "energy_mj": number * 10 + 5,
        "payment": cells(*(b"payment %d" % row for row in range(COUNT))),
        "request": cells(*(b"request %d" % row for row in range(COUNT))),
        "answer": cells(*ANSWERS),
        "salt": cells(*(b"salt %d" % row for row in range(COUNT))),
    }
    sales: dict[str, Any] = {
        "scheme": np.array([0, 1, 2, 255, 0], dtype=np.int64),
        "paid_usdc_micro": np.array([10, 20, 30, 0, 40], dtype=np.int64),
        "payer": np.zeros((COUNT, 20), dtype=np.uint8),
        "tx": np.zeros((COUNT, 32), dtype=np.uint8),
    }
    metered = Metered(1_000, 1_000 + 125 + 60, (30, 20, 10), "model:test", "batch/1", "{}", ("Power is modelled.",))
    return WorkReport("provider", "rack-1", "m", Period(1_000, 2_000), rows, sales, metered)


WORK = seal_report(report(), KEY)
RECEIPT = receipt_of(report(), ROW, KEY)
BILL_SAID = {
    "provider": "provider",
    "rack": "rack-1",
    "model": "m",
    "start_us": 1_000,
    "stop_us": 2_000,
    "answers": 4,
    "paid_usdc_micro": 100,
    "tokens": 45,
    "pay_to": "0x00",
    "asset": "0x01",
    "network": "eip155:31337",
}
BILL_PAPER = seal(statement("rack-1/1000/2000", WORK.digest.hex(), BILL, BILL_SAID), STATEMENT, KEY)


def again(paper: Envelope, damage: Damage) -> bytes:
    """The paper with its statement changed, and signed anew by its provider: a lie under its own name."""
    said = json.loads(paper.payload)
    damage(said)
    return seal(canonical(said), STATEMENT, KEY).to_json()


def refusal(raw: bytes, key: bytes = KEY.public, work: bytes | None = None, answer: bytes | None = None) -> str:
    with pytest.raises(VerificationError) as raised:
        verify(raw, key, work, answer)
    return raised.value.code


def test_papers_that_hold_say_what_they_say() -> None:
    work = WORK.to_json()
    told = verify(RECEIPT.to_json(), KEY.public, work, ANSWERS[ROW])
    assert told.kind == "energy-receipt"
    assert "Answer 43 of rack-1 holds: 10 tokens of m took 35 mJ of the 185 mJ" in told.lines[0]
    assert "  it assumes: Power is modelled." in told.lines
    assert "5 answers of m by provider, 185 mJ metered, 100 micro-dollars paid" in verify(work, KEY.public).lines[0]
    assert "100 micro-dollars for 4 answers" in verify(BILL_PAPER.to_json(), KEY.public, work).lines[0]
    assert "not at hand" in verify(BILL_PAPER.to_json(), KEY.public).lines[0]


@pytest.mark.parametrize("row", range(COUNT))
def test_every_row_has_a_path(row: int) -> None:
    assert verify(receipt_of(report(), row, KEY).to_json(), KEY.public, WORK.to_json(), ANSWERS[row])


def pred(**changes: Any) -> Damage:
    return lambda said: said["predicate"].update(changes)


def inside(part: str, **changes: Any) -> Damage:
    return lambda said: said["predicate"][part].update(changes)


def column(part: str, name: str, row: int, value: int) -> Damage:
    """One figure of a column of a report."""

    def damage(said: Said) -> None:
        held = said["predicate"][part]
        figures = list(struct.unpack(f"<{COUNT}q", base64.b64decode(held[name])))
        figures[row] = value
        held[name] = base64.b64encode(struct.pack(f"<{COUNT}q", *figures)).decode()

    return damage


def payment_twice(said: Said) -> None:
    held = said["predicate"]["rows"]
    raw = base64.b64decode(held["payment"])
    held["payment"] = base64.b64encode(raw[:32] + raw[:32] + raw[64:]).decode()


def shorter(said: Said) -> None:
    said["predicate"]["path"].pop()


def sibling(said: Said) -> None:
    said["predicate"]["path"][0][1] += 1


def subject(**changes: Any) -> Damage:
    return lambda said: said["subject"][0].update(changes)


RECEIPTS: list[tuple[str, Damage]] = [
    ("receipt.malformed", pred(energy_mj="35")),
    ("receipt.malformed", pred(energy_mj=-1)),
    ("receipt.malformed", pred(energy_mj=2**63)),
    ("receipt.malformed", pred(salt="AB" * 32)),
    ("receipt.malformed", pred(path={})),
    ("receipt.malformed", pred(path=[[1, 2, 3]])),
    ("receipt.malformed", pred(assumptions="none")),
    ("receipt.malformed", pred(source=None)),
    ("receipt.malformed", lambda said: said["predicate"].pop("interval")),
    ("receipt.malformed", lambda said: said.pop("_type")),
    ("receipt.malformed", lambda said: said["subject"].append({})),
    ("receipt.kind", lambda said: said.update(predicateType="https://penstock.dev/quote/1")),
    ("receipt.subject", subject(name="00" * 32)),
    ("receipt.interval", inside("interval", stop_us=1_000)),
    ("receipt.parts", inside("parts_mj", idle=1_000)),
    ("receipt.parts", pred(energy_mj=1_000)),
    ("receipt.position", pred(position=8)),
    ("receipt.path", pred(position=2)),
    ("receipt.path", pred(count=1_000)),
    ("receipt.path", pred(energy_mj=34)),
    ("receipt.path", pred(salt="00" * 32)),
    ("receipt.path", pred(root="00" * 32)),
    ("receipt.path", shorter),
    ("receipt.path", sibling),
    ("receipt.total", pred(meter_mj=186)),
    ("receipt.range", lambda said: said["predicate"]["path"][0].__setitem__(1, 2**63 - 1)),
]


@pytest.mark.parametrize(("code", "damage"), RECEIPTS)
def test_a_changed_receipt_fails(code: str, damage: Damage) -> None:
    assert refusal(again(RECEIPT, damage)) == code


BESIDE: list[tuple[str, Damage]] = [
    ("receipt.work", pred(work_root="00" * 32)),
    ("receipt.work", pred(rack="rack-2")),
    ("receipt.work", pred(count=5)),  # a path is as long in this tree: the report alone tells
    ("receipt.work", inside("interval", stop_us=1_999)),
    ("receipt.row", pred(number=44)),
    ("receipt.row", inside("tokens", prompt=9)),
    ("receipt.row", subject(digest={"sha256": "00" * 32})),
]


@pytest.mark.parametrize(("code", "damage"), BESIDE)
def test_a_receipt_is_held_against_its_report(code: str, damage: Damage) -> None:
    raw = again(RECEIPT, damage)
    assert verify(raw, KEY.public).kind == "energy-receipt"  # alone it holds together
    assert refusal(raw, work=WORK.to_json()) == code


def test_a_receipt_is_of_one_answer() -> None:
    assert refusal(RECEIPT.to_json(), answer=ANSWERS[ROW - 1]) == "receipt.answer"


REPORTS: list[tuple[str, Damage]] = [
    ("receipt.malformed", pred(answers="5")),
    ("receipt.malformed", lambda said: said["predicate"].pop("sales")),
    ("receipt.columns", pred(answers=4)),
    ("receipt.columns", inside("rows", salt="")),
    ("receipt.figures", column("rows", "time_ms", 0, -1)),
    ("receipt.numbers", column("rows", "number", 1, 40)),
    ("receipt.numbers", pred(first_number=41)),
    ("receipt.instants", column("rows", "arrived_us", 1, 1_900)),
    ("receipt.interval", pred(stop_us=1_003)),
    ("receipt.payment_twice", payment_twice),
    ("receipt.sales", column("sales", "scheme", 0, 3)),
    ("receipt.sales", column("sales", "paid_usdc_micro", 3, 5)),
    ("receipt.sales", column("sales", "paid_usdc_micro", 0, -5)),
    ("receipt.energy", inside("energy", stop_mj=1_186)),
    ("receipt.root", column("rows", "prompt_tokens", 0, 700)),
    ("receipt.root", pred(root="00" * 32)),
    ("receipt.root", subject(digest={"sha256": "00" * 32})),
    ("receipt.subject", subject(name="rack-2/1000/2000")),
    ("receipt.sums", inside("energy", root="00" * 32)),
    ("receipt.sums", inside("energy", idle_mj=20, overhead_mj=30)),
]


@pytest.mark.parametrize(("code", "damage"), REPORTS)
def test_a_changed_report_fails(code: str, damage: Damage) -> None:
    assert refusal(again(WORK, damage)) == code


BILLS: list[tuple[str, Damage]] = [
    ("receipt.malformed", pred(pay_to=1)),
    ("receipt.subject", subject(name="rack-1/1000/2001")),
    ("receipt.bill_work", subject(digest={"sha256": "00" * 32})),
    ("receipt.bill_names", pred(model="n")),
    ("receipt.bill_total", pred(paid_usdc_micro=101)),
    ("receipt.bill_total", pred(answers=5)),
    ("receipt.bill_total", pred(tokens=46)),
]


@pytest.mark.parametrize(("code", "damage"), BILLS)
def test_a_changed_bill_fails(code: str, damage: Damage) -> None:
    assert refusal(again(BILL_PAPER, damage), work=WORK.to_json()) == code


def test_what_stands_beside_must_be_a_report() -> None:
    assert refusal(RECEIPT.to_json(), work=BILL_PAPER.to_json()) == "receipt.kind"


def envelope(**changes: Any) -> bytes:
    held = copy.deepcopy(json.loads(RECEIPT.to_json()))
    held.update(changes)
    return json.dumps(held).encode()


SIGNED = json.loads(RECEIPT.to_json())["signatures"][0]


@pytest.mark.parametrize(
    ("code", "raw"),
    [
        ("receipt.malformed", b""),
        ("receipt.malformed", b"\xff"),
        ("receipt.malformed", b"[" * 100_000),
        ("receipt.malformed", b'{"payload":NaN}'),
        ("receipt.malformed", envelope(more=1)),
        ("receipt.malformed", envelope(signatures=[SIGNED, SIGNED])),
        ("receipt.malformed", envelope(payload="%")),
        ("receipt.malformed", RECEIPT.to_json().replace(b'{"payload":', b'{"payload":"","payload":', 1)),
        ("receipt.payload_type", envelope(payloadType="text/plain")),
        ("receipt.key", envelope(signatures=[SIGNED | {"keyid": "00" * 32}])),
        ("receipt.signature", envelope(signatures=[SIGNED | {"sig": base64.b64encode(bytes(64)).decode()}])),
        ("receipt.signature", envelope(payload=base64.b64encode(RECEIPT.payload + b" ").decode())),
    ],
)
def test_a_changed_envelope_fails(code: str, raw: bytes) -> None:
    assert refusal(raw) == code


def test_another_key_is_not_the_providers() -> None:
    assert refusal(RECEIPT.to_json(), OTHER.public) == "receipt.key"
    stolen = seal(RECEIPT.payload, STATEMENT, OTHER)
    renamed = Envelope(STATEMENT, stolen.payload, RECEIPT.keyid, stolen.signature)
    assert refusal(renamed.to_json()) == "receipt.signature"


def test_spaces_in_a_file_change_nothing() -> None:
    pretty = json.dumps(json.loads(WORK.to_json()), indent=2).encode()
    assert verify(BILL_PAPER.to_json(), KEY.public, pretty).kind == "bill"


def test_it_runs_with_no_part_of_penstock(tmp_path: Path) -> None:
    """Copied elsewhere, under an interpreter that sees no packages but the signatures'."""
    script = tmp_path / "receipt.py"
    script.write_text(Path(receipt.__file__).read_text())
    for name, raw in (("receipt", RECEIPT.to_json()), ("work", WORK.to_json()), ("bent", again(RECEIPT, shorter))):
        (tmp_path / name).write_bytes(raw)
    guard = "import sys; sys.modules['penstock'] = sys.modules['numpy'] = None; import runpy; "
    guard += "sys.argv = sys.argv[1:]; runpy.run_path(sys.argv[0], run_name='__main__')"

    def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", guard, str(script), *arguments, "--key", KEY.public.hex()]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    good = ran("receipt", "--work", "work")
    assert (good.returncode, good.stdout.splitlines()[0][:9]) == (0, "Answer 43")
    bad = ran("bent")
    assert (bad.returncode, bad.stdout[:20]) == (5, "REFUSED receipt.path")


def test_the_page_explains_exactly_the_codes() -> None:
    page = (ROOT / "docs" / "receipts.md").read_text("utf-8")
    source = Path(receipt.__file__).read_text("utf-8")
    listed = re.findall(r"^\| `(receipt\.\w+)` \| [^|]+ \|$", page, re.MULTILINE)
    assert listed == sorted(set(re.findall(r'"(receipt\.\w+)"', source)))


def test_every_code_has_a_damage_of_its_own() -> None:
    """Those that need files beside or a broken envelope are in the tests above; none is left out."""
    tested = {code for table in (RECEIPTS, BESIDE, REPORTS, BILLS) for code, _ in table}
    tested |= {"receipt.answer", "receipt.payload_type", "receipt.key", "receipt.signature"}
    assert tested == set(re.findall(r'"(receipt\.\w+)"', Path(receipt.__file__).read_text("utf-8")))

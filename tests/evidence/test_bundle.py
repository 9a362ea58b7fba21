"""Bundles: any answer of a real workspace proves itself; what cannot be proved yet says so."""

from __future__ import annotations

import ast
import json
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from small_world import DAY, LOG_KEY, ORIGIN, ROOFS, SmallWorld, StoredRecord, key_of

from penstock.errors import NotFound, Unavailable
from penstock.journal import checkpoint
from penstock.journal.formats import FORMATS
from penstock.journal.kinds.lift import ReturnCause
from penstock.journal.title_plan import CHANGES
from penstock.journal.vault import INTO
from penstock.journal.words import ASSURANCES, TITLE_STATES, LinkKind, Technology, TitleState
from penstock.keys import KEY_KINDS
from penstock.trace import verify as verifier
from penstock.trace.bundle import FORMAT, build_bundle
from penstock.trace.lineage import answer_span, back
from penstock.trace.verify import verify
from penstock.units import MJ_PER_WH


def test_every_answer_proves_itself_and_agrees_with_the_trace(small: SmallWorld) -> None:
    books, rack = small.world.books, small.world.compute.racks["rack-1"]
    answers = len(books.links[LinkKind.SERVE])
    assert answers > 50
    for number in (0, 1, answers // 2, answers - 1):
        report = verify(build_bundle(small.record, books, "rack-1", number), LOG_KEY.public)
        node = back(books, rack.token_register, answer_span(books, rack, number))
        (imported,) = node.children[0].children[0].children
        assert (report.tokens, report.energy_mj) == (node.quantity, node.children[0].children[0].quantity)
        assert {f"{device}/export" for device, _, _ in report.roofs} == {roof.register for roof in imported.children}
        assert sum(wh for _, wh, _ in report.roofs) == imported.quantity


def test_a_report_names_sums_keys_and_assumptions(small: SmallWorld, bundle: bytes, number: int) -> None:
    report = verify(bundle, LOG_KEY.public)
    assert (report.rack, report.number) == ("rack-1", number)
    assert {key for _, _, key in report.roofs} <= {key_of(roof).public.hex() for roof in ROOFS}
    assert sum(amount for _, amount in report.ends) == report.billed_usdc_micro > 0
    assert report.keys[0] == f"log {ORIGIN}: {LOG_KEY.public.hex()} (pinned by you)"
    text = "\n".join(report.lines())
    for word in ("modelled", "not electrons", "audit of the whole journal", key_of("rack-1").public.hex()):
        assert word in text


def test_dollars_not_collected_yet_stay_billed(small: SmallWorld) -> None:
    last = len(small.world.books.links[LinkKind.SERVE]) - 1
    report = verify(build_bundle(small.record, small.world.books, "rack-1", last))
    assert report.billed_usdc_micro - report.collected_usdc_micro == 5_000
    assert dict(report.ends)["answers/billed"] == 5_000


def test_an_unbilled_answer_proves_its_energy_alone(small: SmallWorld) -> None:
    books = small.world.books
    bills, pays = books.links[LinkKind.BILL], books.links[LinkKind.PAY]
    books.links[LinkKind.BILL], books.links[LinkKind.PAY] = type(bills)(), type(pays)()
    try:
        report = verify(build_bundle(small.record, books, "rack-1", 3))
    finally:
        books.links[LinkKind.BILL], books.links[LinkKind.PAY] = bills, pays
    assert (report.billed_usdc_micro, report.ends) == (0, ())
    assert report.energy_mj > 0


def test_what_no_checkpoint_covers_must_wait(small: SmallWorld) -> None:
    tree = small.store.tree()
    size = len(tree) - 5
    note = checkpoint.sign(checkpoint.Checkpoint(ORIGIN, size, tree.root(size)), ORIGIN, LOG_KEY)
    with pytest.raises(Unavailable) as refusal:
        build_bundle(StoredRecord(small.store, note), small.world.books, "rack-1", 0)
    assert refusal.value.code == "bundle.checkpoint_behind"


@pytest.mark.parametrize(
    ("rack", "number", "code"),
    [("rack-9", 0, "bundle.no_rack"), ("rack-1", 10**6, "trace.no_answer"), ("rack-1", -1, "trace.no_answer")],
)
def test_what_is_not_there_is_not_found(small: SmallWorld, rack: str, number: int, code: str) -> None:
    with pytest.raises(NotFound) as refusal:
        build_bundle(small.record, small.world.books, rack, number)
    assert refusal.value.code == code


def test_the_verifier_knows_the_journal_s_own_formats() -> None:
    for name, (layout, names) in verifier.ROWS.items():
        fmt = FORMATS[name]
        codes = {"int16": "h", "int32": "i", "int64": "q", "uint8": "B", "uint32": "I"}
        assert layout == "<" + "".join(codes[dtype] for _, dtype in fmt.fixed)
        assert names == tuple(column for column, _ in fmt.fixed)
        assert struct.calcsize(layout) == fmt.row_bytes
    assert tuple(level.value for level in ASSURANCES) == verifier.ASSURANCE
    assert tuple(kind.value for kind in KEY_KINDS) == verifier.KEY_KINDS
    assert tuple(state.value for state in TITLE_STATES) == verifier.STATES
    changes = {state.value: tuple(after.value for after in CHANGES[state]) for state in TitleState}
    assert changes == verifier.CHANGES
    back = {cause.value: INTO[cause][0].value for cause in ReturnCause}
    assert (back, Technology.BATTERY.value) == (verifier.BACK, verifier.BATTERY)
    assert (verifier.FORMAT, verifier.MJ_PER_WH) == (FORMAT, MJ_PER_WH)


def test_the_verifier_stands_alone() -> None:
    tree = ast.parse(Path(verifier.__file__).read_text("utf-8"))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    outside = {name for name in imported if name.partition(".")[0] not in sys.stdlib_module_names}
    assert {name.partition(".")[0] for name in outside} == {"cryptography"}


@pytest.mark.parametrize(
    ("change", "arguments", "code", "words"),
    [
        (b"", ["--log-key", LOG_KEY.public.hex()], 0, "Answer"),
        (b"", ["--log-key", "00" * 32], 5, "REFUSED bundle.log_key"),
        (b"no bundle", [], 2, "REFUSED bundle.malformed"),
    ],
)
def test_the_verifier_runs_from_a_shell(
    bundle: bytes, tmp_path: Path, change: bytes, arguments: list[str], code: int, words: str
) -> None:
    file = tmp_path / "bundle.json"
    file.write_bytes(change or bundle)
    command = [sys.executable, "-I", verifier.__file__, str(file), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.startswith(words)) == (code, True)


def test_a_bundle_is_canonical_and_small(bundle: bytes) -> None:
    plain = json.loads(bundle)
    assert json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() == bundle
    assert len(bundle) < 100_000


def test_no_byte_of_a_bundle_can_change_unseen(bundle: bytes) -> None:
    dice = np.random.Generator(np.random.PCG64(11))
    for place in dice.integers(0, len(bundle), 300).tolist():
        changed = bundle[:place] + bytes([bundle[place] ^ 1]) + bundle[place + 1 :]
        with pytest.raises(verifier.VerificationError):
            verify(changed, LOG_KEY.public)


def test_names_cannot_reach_the_terminal(bundle: bytes) -> None:
    report = verify(bundle)
    hostile = type(report)(
        **{name: getattr(report, name) for name in report.__dataclass_fields__} | {"rack": "\x1b[2J"}
    )
    assert "\x1b" not in "\n".join(hostile.lines())


def test_the_readings_are_of_the_day(bundle: bytes) -> None:
    plain = json.loads(bundle)
    assert DAY.start_us <= int(plain["answer"]["arrived_us"]) < DAY.stop_us
    assert len(plain["readings"]) >= 4

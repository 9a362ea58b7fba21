"""A bundle of the real use cases holds; damaged in any one named way, it is refused with exactly that code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import forging
import pytest
from certificate_damages import DAMAGES as LIVES
from damages import DAMAGES, Damage
from small_world import LOG_KEY, ORIGIN
from sold_damages import DAMAGES as SOLD
from test_mixed import DAMAGES as MIXED

from penstock.trace import verify as verifier
from penstock.trace.verify import VerificationError, verify

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(r"^\| ([^|`]+?) \| ([^|]+?) \| (yes|no) \| `([^`]+)` \|$", re.MULTILINE)
LIFE_ROW = re.compile(r"^\| ([a-z]+) \| ([^|]+?) \| ([^|]+?) \| (yes|no) \| `([^`]+)` \|$", re.MULTILINE)
CODE_ROW = re.compile(r"^\| `(bundle\.[a-z_]+)` \| \S.* \|$", re.MULTILINE)


def test_the_undamaged_bundle_holds_also_when_sealed_anew(bundle: bytes) -> None:
    again = forging.dump(forging.reseal(forging.load(bundle), LOG_KEY, ORIGIN))
    assert verify(bundle, LOG_KEY.public).counts == verify(again, LOG_KEY.public).counts
    assert forging.dump(forging.load(bundle)) == bundle


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_a_damage_is_refused_with_its_code(bundle: bytes, damage: Damage) -> None:
    raw = damage.done(forging.load(bundle))
    assert raw != bundle
    with pytest.raises(VerificationError) as refusal:
        verify(raw, LOG_KEY.public if damage.pinned else None)
    assert refusal.value.code == damage.code, refusal.value.message


def test_a_log_replaced_as_a_whole_is_caught_by_the_pinned_key_alone(bundle: bytes) -> None:
    raw = next(damage for damage in DAMAGES if damage.name == "log replaced").done(forging.load(bundle))
    assert verify(raw).number == verify(bundle).number


def test_the_page_lists_the_damages() -> None:
    page = (ROOT / "docs" / "bundle.md").read_text("utf-8")
    listed = [(name, how, sealed == "yes", code) for name, how, sealed, code in ROW.findall(page)]
    assert listed == [(one.name, one.how, one.sealed, one.code) for one in DAMAGES]
    listed_of = [(*told, sealed == "yes", code) for *told, sealed, code in LIFE_ROW.findall(page)]
    assert listed_of == [(one.of, one.name, one.how, one.sealed, one.code) for one in (*LIVES, *SOLD)]


def test_every_code_is_explained_and_tried(bundle: bytes) -> None:
    source = ast.parse(Path(verifier.__file__).read_text("utf-8"))
    constants = {str(node.value) for node in ast.walk(source) if isinstance(node, ast.Constant)}
    raised = {text for text in constants if re.fullmatch(r"bundle\.[a-z_]+", text)}
    page = (ROOT / "docs" / "bundle.md").read_text("utf-8")
    assert CODE_ROW.findall(page) == sorted(raised)
    tried = {damage.code for damage in DAMAGES} | {damage.code for damage in (*LIVES, *SOLD)}
    tried |= {code for *_, code in MIXED}
    assert tried | {"bundle.subject"} == raised

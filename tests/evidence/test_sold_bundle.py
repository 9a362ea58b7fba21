"""Answers sold one by one: traced to roofs, payment and coupon, and proved offline to the millijoule and the dollar."""

from __future__ import annotations

import forging
import pytest
from certificate_damages import LifeDamage
from small_world import LOG_KEY, ORIGIN
from sold_damages import DAMAGES
from sold_world import ANSWERS, PROVIDER, RACK, SoldWorld

from penstock.journal.words import Unit
from penstock.trace.bundle import build_bundle
from penstock.trace.lineage import Node
from penstock.trace.verify import VerificationError, verify
from penstock.usecases.prove import trace_answer


def every(node: Node) -> list[Node]:
    return [node, *(one for child in node.children for one in every(child))]


def test_every_sold_answer_proves_itself_from_the_roofs_to_the_coupon(sold: SoldWorld) -> None:
    for number in range(2 * ANSWERS):
        report = verify(build_bundle(sold.record, sold.world.books, RACK, number), LOG_KEY.public)
        back, forward = trace_answer(sold.plant.workspace, RACK, number)
        energy = next(node for node in every(back) if node.unit is Unit.MJ)
        assert (report.tokens, report.energy_mj) == (3, energy.quantity)
        assert (report.billed_usdc_micro, report.collected_usdc_micro) == (3, 3)
        assert dict(report.ends) == {"first/paid/roofs": 3} == {one.register: 3 for one in every(forward)[-1:]}
        assert {f"{device}/export" for device, _, _ in report.roofs} == {
            one.register for one in every(back) if one.register.endswith("/export")
        }
        assert back.closes and forward.closes


def test_the_report_says_what_was_signed_and_paid(sold: SoldWorld, sold_bundle: bytes) -> None:
    lines = "\n".join(verify(sold_bundle).lines())
    paid = sold.reported(1)
    row = 7 - ANSWERS
    for word in (
        f"as {PROVIDER} signed: report sha256 {sold.digest(1)}",
        f"payment {paid.rows['payment'][row].tobytes().hex()}, from 0x{paid.sales['payer'][row].tobytes().hex()}",
        f"to {ANSWERS} answers, 0 idle, 0 overhead, 3,000,000 unattributed",
        "batch-share/1",
        "model:steady/1",
    ):
        assert word in lines
    assert "are modelled" not in lines  # the provider says itself where its figures are from


def test_sealed_anew_it_still_holds(sold_bundle: bytes) -> None:
    again = forging.dump(forging.reseal(forging.load(sold_bundle), LOG_KEY, ORIGIN))
    assert verify(again).counts == verify(sold_bundle).counts


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
def test_a_damage_is_refused_with_its_code(sold_bundle: bytes, damage: LifeDamage) -> None:
    raw = damage.done(forging.load(sold_bundle))
    assert raw != sold_bundle
    with pytest.raises(VerificationError) as refusal:
        verify(raw)
    assert refusal.value.code == damage.code, refusal.value.message

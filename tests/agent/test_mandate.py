"""A mandate is read exactly, tells all its mistakes at once, and may not contradict itself."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from agent_kit import ASSET, NETWORK, NOW_US, Provider, Time, mandate_text

from penstock.agent.admission import Ask, Spent, admit, breaches
from penstock.agent.mandate import Mandate, contradictions
from penstock.agent.mandate_file import BadMandate, ContradictoryMandate, read_mandate
from penstock.errors import Invalid, Refused

PROVIDER = Provider("solar", Time())
SPENT = Spent(0, 0)


def mandate(**changes: Any) -> Mandate:
    return read_mandate(mandate_text([PROVIDER], **changes))


def ask(**changes: Any) -> Ask:
    base = Ask(
        PROVIDER.url, PROVIDER.pay_to, NETWORK, ASSET, "exact", 1_000, 1_000, 100_000, "solar_pv", 5_000, 400_000
    )
    return replace(base, **changes)


def test_figures_are_read_exactly_from_yaml_and_json() -> None:
    text = mandate_text([PROVIDER])
    as_yaml = (
        """
penstock: mandate/1
name: test
valid: {from: 2026-11-22T00:00:00Z, until: 2026-12-01T00:00:00Z}
budget_usd: {call: 0.5, hour: 2, total: 5}
price_max_usd: {per_1k_tokens: 0.01}
energy: {carbon_max_g_per_kwh: 500}
venues:
- {url: URL, pay_to: "PAYEE", key: "KEY"}
payments:
- {network: "NETWORK", asset: "ASSET", schemes: [exact]}
""".replace("URL", PROVIDER.url)
        .replace("PAYEE", PROVIDER.pay_to)
        .replace("KEY", PROVIDER.key.public.hex())
    )
    as_yaml = as_yaml.replace("NETWORK", NETWORK).replace("ASSET", ASSET)
    read = read_mandate(text)
    assert read == read_mandate(as_yaml)
    assert (read.budget.call_usdc_micro, read.budget.hour_usdc_micro, read.budget.total_usdc_micro) == (
        500_000,
        2_000_000,
        5_000_000,
    )
    assert read.ceilings.per_1k_tokens_usdc_micro == 10_000
    assert read.energy.carbon_max_mg_per_kwh == 500_000
    assert read.budget.ask_above_usdc_micro == read.budget.call_usdc_micro


def test_all_mistakes_come_at_once() -> None:
    said = json.loads(mandate_text([PROVIDER]))
    said["budget_usd"] = {"call": "0.0000001", "hour": "-1"}
    said["venus"] = []
    said["venues"][0]["pay_to"] = "0x12"
    said["valid"]["until"] = "tomorrow"
    with pytest.raises(BadMandate) as caught:
        read_mandate(json.dumps(said))
    assert [mistake.split(":")[0] for mistake in caught.value.mistakes] == [
        "valid.until",
        "budget_usd.call",
        "budget_usd.hour",
        "budget_usd.total",
        "venues[0].pay_to",
        "venus",
    ]
    assert caught.value.code == "mandate.malformed"
    assert caught.value.to_json()["error"] == "Invalid"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "- a",
        "a: [",
        "x" * 70_000,
        "a: 1\na: 2",
        "a: &b {c: 1}\nd: *b",
        "penstock: mandate/2",
        "!!python/none x",
        "[" * 30_000,
        "- " * 15_000,
    ],
)
def test_what_is_no_mandate_is_told(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_mandate(text)
    assert caught.value.code == "mandate.malformed"


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"valid": {"from": "2026-12-02T00:00:00Z", "until": "2026-12-01T00:00:00Z"}}, "before it begins"),
        ({"budget_usd": {"call": "3", "hour": "2", "total": "5"}}, "more than an hour"),
        ({"budget_usd": {"call": "1", "hour": "9", "total": "5"}}, "more than all"),
        ({"budget_usd": {"call": "0", "hour": "2", "total": "5"}}, "buys nothing"),
        ({"ask_above_usd": "0.6"}, "ever be asked"),
        ({"energy": {"technologies": ["wind"], "technologies_refused": ["wind"]}}, "both allowed and refused"),
        ({"energy": {"technologies": ["generator"], "matched_min_percent": "50"}}, "certificates are asked"),
        ({"venues": []}, "none is named"),
        ({"payments": []}, "nothing can be paid"),
        ({"trade": {"exposure_max_usd": "9", "kinds": ["spot", "forward"]}}, "above the total"),
        ({"trade": {"exposure_max_usd": "1"}}, "nothing that could have one"),
    ],
)
def test_a_mandate_that_contradicts_itself_is_refused(changes: dict[str, Any], word: str) -> None:
    with pytest.raises(ContradictoryMandate) as caught:
        mandate(**changes)
    assert caught.value.code == "mandate.contradicts"
    assert any(word in mistake for mistake in caught.value.mistakes)


def test_one_that_does_not_is_taken() -> None:
    assert contradictions(mandate()) == ()


@pytest.mark.parametrize(
    ("changes", "asked", "code"),
    [
        ({}, {"url": "http://other.test"}, "mandate.venue"),
        ({}, {"pay_to": "0x" + "11" * 20}, "mandate.payee"),
        ({}, {"network": "eip155:1"}, "mandate.token"),
        ({}, {"asset": "0x" + "22" * 20}, "mandate.token"),
        ({}, {"scheme": "upto"}, "mandate.scheme"),
        ({}, {"kind": "forward"}, "mandate.kind"),
        ({}, {"tokens": 99}, "mandate.price"),
        ({}, {"carbon_mg_per_kwh": 500_001}, "mandate.carbon"),
        ({"energy": {"technologies": ["wind"]}}, {}, "mandate.source"),
        ({"energy": {"technologies_refused": ["solar_pv"]}}, {}, "mandate.source"),
        ({"energy": {"matched_min_percent": "50.01"}}, {}, "mandate.matched"),
        ({"energy": {"max_j_per_1k_tokens": "399.999"}}, {}, "mandate.energy"),
        ({}, {"amount_usdc_micro": 500_001, "tokens": 10**6}, "mandate.per_call"),
        ({"ask_above_usd": "0.0009"}, {}, "mandate.approval"),
    ],
)
def test_each_rule_refuses_by_its_name(changes: dict[str, Any], asked: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as caught:
        admit(mandate(**changes), ask(**asked), SPENT, NOW_US)
    assert caught.value.code == code


def test_limits_themselves_are_allowed() -> None:
    most = {"amount_usdc_micro": 500_000, "tokens": 50_000, "carbon_mg_per_kwh": 500_000}
    admit(mandate(), ask(**most), Spent(1_500_000, 4_500_000), NOW_US)


def test_hour_and_total_count_what_was_spent() -> None:
    found = breaches(mandate(), ask(), Spent(1_999_001, 4_999_001), NOW_US)
    assert [breach.code for breach in found] == ["mandate.per_hour", "mandate.total"]


def test_time_is_half_open() -> None:
    rules = mandate()
    assert [breach.code for breach in breaches(rules, ask(), SPENT, rules.from_us - 1)] == ["mandate.not_yet"]
    assert not breaches(rules, ask(), SPENT, rules.from_us)
    assert not breaches(rules, ask(), SPENT, rules.until_us - 1)
    assert [breach.code for breach in breaches(rules, ask(), SPENT, rules.until_us)] == ["mandate.expired"]


def test_what_the_owner_approved_may_be_paid() -> None:
    rules = mandate(ask_above_usd="0.0009")
    assert not breaches(rules, ask(), SPENT, NOW_US, approved=True)

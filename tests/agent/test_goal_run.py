"""A goal is carried out whatever providers do: late, wrong, silent, dearer, dirtier; it stops at its budget."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from agent_kit import MODEL, NOW_US, Provider, Scene, scene, vector_of

from penstock.agent.goal import Goal
from penstock.agent.run import End, Outcome, Run
from penstock.agent.shop import Shop
from penstock.agent.spending import PAID, Purpose

LINES = [f"line number {number}" for number in range(40)]
COST_OF_BATCH = 2  # 4 lines of 5 tokens at 100 micro-dollars per 1,000


def run(
    market: Scene, goal: Goal | None = None, check_every: int = 0, lines: list[str] | None = None, **mandate: Any
) -> Outcome:
    asked = goal or Goal("texts.txt", 5_000_000)
    rules = market.mandate(**mandate)
    payer = market.payer(rules, Purpose("goal", asked.under_usdc_micro))
    shop = Shop(rules, market.http, asked.model, 20, below_mg_per_kwh=asked.below_mg_per_kwh)
    output = market.folder / "vectors.jsonl"
    made = Run(asked, lines or LINES, output, payer, shop, market.log, batch_lines=4, check_every=check_every)
    return made.run()


def written(market: Scene) -> list[dict[str, Any]]:
    return [json.loads(row) for row in (market.folder / "vectors.jsonl").read_text().splitlines()]


def kinds(market: Scene) -> list[str]:
    return [decision.kind for decision in market.log.read()]


def cashed(market: Scene) -> int:
    return sum(sum(one.cashed.values()) for one in market.providers)


def test_every_line_gets_its_vector_from_the_cheapest(tmp_path: Path) -> None:
    market = scene(tmp_path, "cheap", "dear")
    market.providers[1].price = 200
    done = run(market)
    assert (done.end, done.done, done.calls) == (End.DONE, 40, 10)
    assert done.providers == {market.providers[0].url: 10}
    assert [row["embedding"] for row in written(market)] == [
        [round(x, 7) for x in map(float, vector)] for vector in map(rounded, LINES)
    ]
    assert done.paid_usdc_micro == cashed(market) == 10 * COST_OF_BATCH
    assert kinds(market) == ["goal", "chosen", *["bought"] * 10, "end"]


def rounded(line: str) -> list[float]:
    import numpy as np

    return [float(x) for x in np.asarray(vector_of(line), np.float32)]


def test_each_purchase_is_explained(tmp_path: Path) -> None:
    market = scene(tmp_path, "cheap", "dear", "dirty")
    market.providers[1].price, market.providers[2].carbon = 200, 600_000
    run(market)
    bought = next(decision for decision in market.log.read() if decision.kind == "bought")
    assert [one["url"] for one in bought.said["candidates"]] == [one.url for one in market.providers[:2]]
    assert [(one["url"], one["code"]) for one in bought.said["refused"]] == [
        (market.providers[2].url, "mandate.carbon")
    ]
    assert bought.said["paid_usdc_micro"] == COST_OF_BATCH
    assert market.book.payments()[bought.said["payment"] - 1].tx == bought.said["tx"]


def test_it_switches_when_one_gets_dearer_and_then_dirtier(tmp_path: Path) -> None:
    market = scene(tmp_path, "first", "second", valid_us=1_000_000)
    first, second = market.providers
    second.price = 150

    def dearer(provider: Provider) -> None:
        provider.clock.wait(2)
        first.price = 300 if len(first.cashed) >= 3 else 100
        second.carbon = 600_000 if len(second.cashed) >= 3 else 100_000

    first.after = second.after = dearer
    done = run(market)
    assert done.end is End.DONE
    assert done.providers == {first.url: 7, second.url: 3}
    chosen = [decision.said["url"] for decision in market.log.read() if decision.kind == "chosen"]
    assert chosen == [first.url, second.url, first.url]


def test_it_stops_at_the_goals_budget_and_goes_on_with_more(tmp_path: Path) -> None:
    market = scene(tmp_path, "only")
    done = run(market, Goal("texts.txt", 3 * COST_OF_BATCH + 1))
    assert (done.end, done.done, done.paid_usdc_micro) == (End.BUDGET, 12, 3 * COST_OF_BATCH)
    assert cashed(market) == 3 * COST_OF_BATCH
    again = run(market, Goal("texts.txt", 3 * COST_OF_BATCH + 1))
    assert (again.end, again.done, cashed(market)) == (End.BUDGET, 12, 3 * COST_OF_BATCH)
    assert run(market).end is End.DONE
    assert cashed(market) == 10 * COST_OF_BATCH


def test_it_stops_at_the_mandates_hour(tmp_path: Path) -> None:
    market = scene(tmp_path, "only")
    budget = {"call": "0.000002", "hour": "0.000005", "total": "1"}
    done = run(market, budget_usd=budget)
    assert (done.end, done.done, cashed(market)) == (End.HOUR, 8, 2 * COST_OF_BATCH)
    market.clock.wait(3_601)


@pytest.mark.parametrize(
    "fault",
    [httpx.ReadTimeout("slow"), httpx.ConnectError("down"), httpx.Response(500), httpx.Response(402)],
    ids=["late", "silent", "failing", "takes and asks again"],
)
def test_of_a_bad_provider_it_goes_to_the_next(tmp_path: Path, fault: Any) -> None:
    market = scene(tmp_path, "bad", "good")
    market.providers[0].fault = lambda _: fault
    market.providers[1].price = 200
    done = run(market)
    assert (done.end, done.done) == (End.DONE, 40)
    assert len(market.providers[0].cashed) <= 2
    assert market.book.spent(market.clock()).total_usdc_micro >= cashed(market)


@pytest.mark.parametrize(
    "vectors",
    [
        lambda texts: [vector_of(text) for text in texts][:-1],
        lambda texts: [[2.0, 0.0]] * len(texts),
        lambda texts: [[float("nan"), 0.0]] * len(texts),
        lambda texts: [[1.0, 0.0]] * len(texts),
        lambda texts: [["x"]] * len(texts),
        lambda texts: [[1.0]] * len(texts),
    ],
    ids=["too few", "not of length one", "no numbers", "all the same", "words", "of one number"],
)
def test_a_wrong_answer_is_not_written_and_ends_trust(tmp_path: Path, vectors: Any) -> None:
    market = scene(tmp_path, "bad", "good")
    market.providers[0].vectors = vectors
    market.providers[1].price = 200
    done = run(market)
    assert (done.end, done.done) == (End.DONE, 40)
    assert done.providers == {market.providers[1].url: 10}
    assert len(market.providers[0].cashed) == 1


def test_more_tokens_than_there_can_be_are_not_taken(tmp_path: Path) -> None:
    market = scene(tmp_path, "bad", "good")
    market.providers[0].counts, market.providers[1].price = 1_000, 200
    done = run(market)
    assert done.providers == {market.providers[1].url: 10}


def test_two_that_differ_are_found_out(tmp_path: Path) -> None:
    market = scene(tmp_path, "liar", "second")
    market.providers[0].vectors = lambda texts: [vector_of("smaller model" + text) for text in texts]
    market.providers[1].price = 101
    run(market, check_every=1)
    said = [decision.said for decision in market.log.read() if decision.kind == "compared"]
    assert said
    assert {one["code"] for one in said} == {"answer.differs"}


def test_honest_ones_agree(tmp_path: Path) -> None:
    market = scene(tmp_path, "first", "second")
    market.providers[1].price = 101
    assert run(market, check_every=1).end is End.DONE
    assert "compared" not in kinds(market)
    assert len(market.providers[1].cashed) == 10


def test_frozen_unsigned_and_absurd_quotes_buy_nothing(tmp_path: Path) -> None:
    market = scene(tmp_path, "frozen", "forged", "absurd", "late", "good")
    frozen, forged, absurd, late, good = market.providers
    frozen.as_of_us, frozen.valid_us = NOW_US - 301 * 1_000_000, 10**12
    late.as_of_us = NOW_US - 61 * 1_000_000
    absurd.price, frozen.price, late.price = 100_000, 1, 50
    forged.said = {"pay_to": "0x" + "66" * 20}
    quotes = {"reference_usd_per_1k_tokens": "0.0001"}
    done = run(market, price_max_usd={"per_1k_tokens": "1"}, quotes=quotes)
    assert done.providers == {good.url: 10}
    goal = market.log.read()[1]
    assert {one["url"]: one["code"] for one in goal.said["refused"]} == {
        frozen.url: "quote.frozen",
        forged.url: "quote.payee",
        absurd.url: "quote.proportion",
        late.url: "quote.expired",
    }


def test_nobody_to_buy_from_is_said(tmp_path: Path) -> None:
    market = scene(tmp_path, "dirty")
    market.providers[0].carbon = 600_000
    done = run(market)
    assert (done.end, done.paid_usdc_micro) == (End.NOBODY, 0)


def test_the_goals_own_carbon_and_time(tmp_path: Path) -> None:
    market = scene(tmp_path, "clean", "dirty")
    market.providers[0].price, market.providers[1].carbon = 200, 300_001
    done = run(market, Goal("texts.txt", 5_000_000, below_mg_per_kwh=300_000))
    assert done.providers == {market.providers[0].url: 10}
    other = scene(tmp_path / "slow", "only")
    other.folder.mkdir()
    other.providers[0].after = lambda provider: provider.clock.wait(10)
    assert run(other, Goal("texts.txt", 5_000_000, within_us=25_000_000)).end is End.DEADLINE


def test_a_run_that_died_goes_on_without_buying_twice(tmp_path: Path) -> None:
    """Killed between the answer and the disk: the till answers the same payment again."""
    market = scene(tmp_path, "only")
    assert run(market, lines=LINES[:8]).done == 8
    output = market.folder / "vectors.jsonl"
    rows = output.read_bytes().splitlines(keepends=True)
    output.write_bytes(b"".join(rows[:8]) + rows[0][:20])  # a torn line at the end
    assert run(market).done == 40
    assert [row["line"] for row in written(market)] == list(range(40))
    assert cashed(market) == 10 * COST_OF_BATCH
    assert {payment.state for payment in market.book.payments()} == {PAID}


def test_a_stopped_agent_ends(tmp_path: Path) -> None:
    market = scene(tmp_path, "only")
    market.providers[0].after = lambda _: (tmp_path / "STOP").touch()
    done = run(market)
    assert (done.end, done.done) == (End.STOPPED, 4)


def test_models_are_not_mixed_up(tmp_path: Path) -> None:
    market = scene(tmp_path, "other")
    market.providers[0].said = {"model": "smaller"}
    assert run(market).end is End.NOBODY
    assert MODEL not in market.log.read()[-1].why

"""Whatever the other side does, one request is paid once, within the mandate, and what may be cashed is counted."""

from __future__ import annotations

import base64
import json
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from agent_kit import ASSET, Scene, scene

from penstock.agent.payment import Call, Payer
from penstock.agent.quotes import Quote, read_quote
from penstock.agent.spending import PAID, SIGNED, VOID, Book, Purpose
from penstock.errors import Invalid, PenstockError, Refused, Unavailable

CALL = Call("/v1/embeddings", {"model": "all-MiniLM-L6-v2", "input": ["a b c", "d e"]}, 200)
COST = 1  # 9 tokens at 100 micro-dollars per 1,000, rounded up


@pytest.fixture
def market(tmp_path: Path) -> Scene:
    return scene(tmp_path, "solar")


def quote_of(market: Scene) -> Quote:
    return read_quote(market.providers[0].quote(), market.mandate().venues[0])


def pay(market: Scene, call: Call = CALL, **changes: Any) -> Any:
    return market.payer(market.mandate(**changes)).call(quote_of(market), call)


def states(book: Book) -> list[tuple[str, int]]:
    return [(payment.state, payment.counted_usdc_micro) for payment in book.payments()]


def test_an_answer_is_paid_and_counted(market: Scene) -> None:
    answer = pay(market)
    assert (answer.paid_usdc_micro, answer.tx) == (COST, "0x" + "ab" * 32)
    assert states(market.book) == [(PAID, COST)]
    assert list(market.providers[0].cashed.values()) == [COST]


@pytest.mark.parametrize("said", ["0", "1", "-5"])
def test_a_receipt_of_less_than_was_signed_makes_no_room_in_the_budget(market: Scene, said: str) -> None:
    """Else whoever is paid empties the account, call by call, and the mandate's budgets stay full."""
    provider = market.providers[0]
    truly = provider.answer

    def lying(request: httpx.Request) -> httpx.Response:
        heard = truly(request)
        if "PAYMENT-RESPONSE" in heard.headers:
            told = json.loads(base64.b64decode(heard.headers["PAYMENT-RESPONSE"])) | {"amount": said}
            heard.headers["PAYMENT-RESPONSE"] = base64.b64encode(json.dumps(told).encode()).decode()
        return heard

    liar = httpx.Client(transport=httpx.MockTransport(lying))
    call = Call("/v1/embeddings", {"model": "all-MiniLM-L6-v2", "input": ["a b c " * 1_000]}, 100_000)
    answer = replace(market.payer(market.mandate()), http=liar).call(quote_of(market), call)
    (cashed,) = provider.cashed.values()
    assert cashed > 10
    assert states(market.book) == [(PAID, cashed)]
    assert answer.paid_usdc_micro == cashed


def test_what_is_free_is_not_paid(market: Scene) -> None:
    free = httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(200, json={"data": []})))
    payer = replace(market.payer(market.mandate()), http=free)
    assert payer.call(quote_of(market), CALL).paid_usdc_micro == 0
    assert market.book.payments() == []


@pytest.mark.parametrize(
    "fault",
    [httpx.ReadTimeout("slow"), httpx.RemoteProtocolError("cut"), httpx.Response(502), httpx.Response(402)],
    ids=["timeout after settling", "cut after settling", "502 after settling", "asked twice"],
)
def test_who_fails_after_cashing_is_sent_the_same_payment_again(market: Scene, fault: Any) -> None:
    failures = iter([fault])
    market.providers[0].fault = lambda _: next(failures, None)
    assert pay(market).paid_usdc_micro == COST
    assert list(market.providers[0].cashed.values()) == [COST]
    assert states(market.book) == [(PAID, COST)]


@pytest.mark.parametrize("fault", [httpx.ReadTimeout("slow"), httpx.Response(502), httpx.Response(500)])
def test_who_never_answers_is_not_paid_twice_and_stays_counted(market: Scene, fault: Any) -> None:
    provider = market.providers[0]
    provider.fault = lambda _: fault
    for _ in range(3):
        with pytest.raises(Unavailable):
            pay(market)
    assert len(provider.cashed) == 1
    assert states(market.book) == [(SIGNED, COST)]
    provider.fault = lambda _: None
    assert pay(market).paid_usdc_micro == COST
    assert len(provider.cashed) == 1
    assert states(market.book) == [(PAID, COST)]


def test_who_takes_the_money_and_asks_again_gets_nothing_more(market: Scene) -> None:
    market.providers[0].fault = lambda provider: httpx.Response(402)
    for _ in range(3):
        with pytest.raises(Refused) as caught:
            pay(market)
        assert caught.value.code == "payment.not_taken"
    assert len(market.providers[0].cashed) == 1
    assert market.book.spent(market.clock()).total_usdc_micro == COST


@pytest.mark.parametrize(
    ("offer", "code"),
    [
        ({"amount": "2"}, "payment.dearer"),
        ({"amount": "-1"}, "payment.dearer"),
        ({"payTo": "0x" + "66" * 20}, "payment.offer"),
        ({"asset": "0x" + "66" * 20}, "payment.offer"),
        ({"network": "eip155:1"}, "payment.offer"),
        ({"scheme": "upto"}, "payment.offer"),
        ({"scheme": "batch-settlement"}, "payment.offer"),
        ({"amount": "much"}, "provider.answer"),
        ({"extra": {"assetTransferMethod": "permit2"}}, "payment.offer"),
    ],
)
def test_an_offer_that_is_not_the_quotes_is_not_signed(market: Scene, offer: dict[str, Any], code: str) -> None:
    call = replace(CALL, tokens=9)
    market.providers[0].offer = offer
    with pytest.raises(PenstockError) as caught:
        pay(market, call)
    assert caught.value.code == code
    assert market.providers[0].cashed == {}
    assert [payment for payment in market.book.payments() if payment.counted_usdc_micro] == []


def test_nothing_counts_where_nothing_was_signed(market: Scene) -> None:
    market.providers[0].offer = {"maxTimeoutSeconds": 10**6}
    with pytest.raises(PenstockError):
        pay(market)
    assert states(market.book) == [(VOID, 0)]
    assert market.providers[0].cashed == {}


def test_the_budget_ends_in_the_middle_of_nothing(market: Scene) -> None:
    market.providers[0].price = 100_000
    budget = {"call": "0.001", "hour": "0.002", "total": "0.002"}
    changes: dict[str, Any] = {"budget_usd": budget, "price_max_usd": {"per_1k_tokens": "1"}}
    with pytest.raises(Refused) as caught:
        for number in range(5):
            pay(market, Call("/v1/embeddings", {"input": ["a b c", str(number)]}, 200), **changes)
    assert caught.value.code == "mandate.per_hour"
    assert sum(market.providers[0].cashed.values()) == market.book.spent(market.clock()).total_usdc_micro == 1_600


def test_the_hour_passes_and_the_total_stays(market: Scene) -> None:
    market.providers[0].price = 100_000
    changes: dict[str, Any] = {
        "budget_usd": {"call": "0.001", "hour": "0.001", "total": "0.001"},
        "price_max_usd": {"per_1k_tokens": "1"},
    }
    pay(market, **changes)
    market.clock.wait(3_601)
    with pytest.raises(Refused) as caught:
        pay(market, Call("/v1/embeddings", {"input": ["other"] * 2}, 200), **changes)
    assert caught.value.code == "mandate.total"


def test_an_approval_is_used_once(market: Scene) -> None:
    changes: dict[str, Any] = {"ask_above_usd": "0"}
    with pytest.raises(Refused) as caught:
        pay(market, **changes)
    assert caught.value.code == "mandate.approval"
    market.book.approve(COST, market.clock() + 1)
    assert pay(market, **changes).paid_usdc_micro == COST
    with pytest.raises(Refused):
        pay(market, replace(CALL, body={"input": ["other"]}), **changes)


def test_a_stopped_agent_pays_nothing(market: Scene) -> None:
    (market.folder / "STOP").write_text("why")
    with pytest.raises(Refused) as caught:
        pay(market)
    assert caught.value.code == "agent.stopped"
    assert market.providers[0].cashed == {}


def test_of_two_that_race_for_the_last_dollar_one_pays(market: Scene) -> None:
    """Many callers with one book: together they never sign more than the budget."""
    market.providers[0].price = 100_000
    rules = market.mandate(
        budget_usd={"call": "0.001", "hour": "0.004", "total": "0.004"}, price_max_usd={"per_1k_tokens": "1"}
    )
    quote, codes = quote_of(market), []

    def one(number: int) -> None:
        try:
            market.payer(rules).call(quote, Call("/v1/embeddings", {"input": ["a b c", str(number)]}, 200))
            codes.append("paid")
        except PenstockError as error:
            codes.append(error.code)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == ["mandate.per_hour"] * 4 + ["paid"] * 5
    assert sum(market.providers[0].cashed.values()) == 4_000


def test_a_goal_has_its_own_limit(market: Scene) -> None:
    payer: Payer = market.payer(market.mandate(), Purpose("goal", 1))
    payer.call(quote_of(market), CALL)
    with pytest.raises(Refused) as caught:
        payer.call(quote_of(market), replace(CALL, body={"input": ["other"]}))
    assert caught.value.code == "goal.budget"
    assert market.book.spent_for("goal") == COST


def test_a_process_that_died_before_signing_gives_its_reservation_back(market: Scene) -> None:
    from penstock.agent.admission import Ask

    ask = Ask(
        quote_of(market).url, quote_of(market).pay_to, "eip155:743100", ASSET, "exact", 5, 100, 0, "solar_pv", 0, 1
    )
    number = market.book.reserve(market.mandate(), ask, "00", market.clock())
    assert market.book.give_up(market.clock() + 30_000_000) == 0
    assert market.book.give_up(market.clock() + 61_000_000) == 1
    with pytest.raises(Refused) as caught:
        market.book.sign(number, "late", "0x00", 1)
    assert caught.value.code == "agent.late"
    assert states(market.book) == [(VOID, 0)]


def test_what_was_signed_does_not_show(market: Scene) -> None:
    market.providers[0].fault = lambda _: httpx.Response(500)
    with pytest.raises(Unavailable):
        pay(market)
    (payment,) = market.book.payments()
    assert payment.header
    assert payment.header not in repr(payment)
    payer = market.payer(market.mandate())
    assert payer.wallet.key.secret.hex() not in repr(payer)


def test_an_answer_that_is_none_is_told(market: Scene) -> None:
    market.providers[0].fault = lambda _: httpx.Response(200, content=b"[" * 100_000)
    with pytest.raises(Invalid) as caught:
        pay(market)
    assert caught.value.code == "provider.answer"
    assert states(market.book) == [(PAID, COST)]

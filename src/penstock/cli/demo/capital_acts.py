"""Stages of the capital wing: launch, sell and pay period by period, withdraw."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from penstock.capital.deal import Deal
from penstock.capital.program import Program
from penstock.cli.demo import pool_acts, sold_work
from penstock.cli.demo.attesters import wait_until
from penstock.cli.demo.play import BUYER, CREDITS, DEAL, ORIGIN, TERMS, Stagehand
from penstock.cli.demo.waterfall import floors_of
from penstock.compute.credit import whole_credits
from penstock.journal.cutting import cut_down
from penstock.journal.fact import Entry
from penstock.journal.kinds.compute import AnswersServed
from penstock.keys import derive_seed
from penstock.period import SECOND_US, Period
from penstock.usecases.anchor import anchor_checkpoint, sign_checkpoint
from penstock.usecases.checkout import CreditClass, buy, open_class, redeem_by_receipt
from penstock.usecases.close import pay_tariffs
from penstock.usecases.enrol import open_accounts
from penstock.usecases.inspect import deal_periods
from penstock.usecases.investor_report.again import history_of
from penstock.usecases.investor_report.covenants import covenant_rows
from penstock.usecases.launch import QUORUM, Admission, admit, adopt_chain, launch, place, tranche_contract
from penstock.usecases.originate import account_of, originate, recompile
from penstock.usecases.pay_period import DealPeriod, accepted_report, close_on_chain, pull_income, record_report
from penstock.usecases.sell import redeem, sell
from penstock.usecases.withdraw import tranche_account

COLLATERAL_USDC_MICRO: Final = 200
STOCK_CREDITS: Final = 2_000_000
"""More than the rack can answer in a day."""
BUYER_FUNDS_USDC_MICRO: Final = 40_000_000_000
US: Final = 840
PROFESSIONAL: Final = 2
ROOFS_PAYEE: Final = "roofs"
TARIFFS: Final = "tariffs"


def chain(hand: Stagehand) -> dict[str, Any]:
    """The embedded chain starts and the shared contracts take their place."""
    adopt_chain(hand.workspace, hand.desk, hand.cast.roles(), hand.week.start_us)
    hand.desk.act("fund:buyer", "Dollar", "mint", hand.cast.chain_key(BUYER).address, BUYER_FUNDS_USDC_MICRO)
    hand.desk.act("fund:lockbox", "Dollar", "mint", hand.desk.address, pool_acts.LOCKBOX_FUNDS_USDC_MICRO)
    identity = hand.desk.identity
    names = ("Dollar", "Registry", "Anchor", "Credit")
    return {
        "chain_id": identity.chain_id,
        "genesis": identity.genesis.hex(),
        "contracts": {name: "0x" + hand.desk.contract(name).address.hex() for name in names},
    }


def capital(hand: Stagehand) -> dict[str, Any]:
    """The deal file is compiled, originated and launched; a thousand holders get their shares."""
    start_us, text = hand.week.start_us, hand.settings.deal_text
    hand.workspace.submit(f"originate:{DEAL}", text.encode(), start_us, lambda world: originate(world, DEAL, text, ()))
    pool_acts.fill_pool(hand)
    launch(hand.workspace, hand.desk, DEAL, hand.cast.roles(), start_us)
    deal, program = deal_of(hand)
    admissions = {tranche.name: _admissions(hand, tranche.name) for tranche in deal.tranches}
    with hand.bar("placing shares", 2) as step:
        admit(hand.desk, DEAL, admissions["A"])
        step(1)
        for tranche in deal.tranches:
            place(hand.desk, tranche_contract(DEAL, tranche.name), admissions[tranche.name])
        step(1)
    hand.workspace.submit("tranche accounts", b"", start_us, lambda _: _tranche_accounts(deal))
    return {
        "deal": deal.name,
        "address": "0x" + hand.desk.contract(DEAL).address.hex(),
        "deal_hash": program.deal_hash.hex(),
        "program_hash": program.program_hash.hex(),
        "program_bytes": len(program.code),
        "tranches": {tranche.name: tranche.face_usdc_micro for tranche in deal.tranches},
        "holders": {tranche.name: hand.settings.size.holders_of(tranche.name) for tranche in deal.tranches},
        "pool": pool_acts.pooled(hand),
    }


def _tranche_accounts(deal: Deal) -> list[Entry]:
    return open_accounts([*(tranche_account(DEAL, one.name) for one in deal.tranches), TARIFFS])


def deal_of(hand: Stagehand) -> tuple[Deal, Program]:
    """The deal and its program, compiled from the text the journal holds."""
    return recompile(hand.workspace.read(lambda world: world.capital.deal(DEAL).originated))


def _admissions(hand: Stagehand, tranche: str) -> list[Admission]:
    """Holders of a tranche with their shares; all of its shares are placed."""
    shares = shares_of(hand, tranche)
    holders = hand.holders[: len(shares)]
    return [Admission(one.key.address, US, PROFESSIONAL, shares[one.name]) for one in holders]


def shares_of(hand: Stagehand, tranche: str) -> dict[str, int]:
    """Each holder's shares of a tranche: weights from the seed, cut at floors, so that they sum to the supply."""
    supply, count = (
        hand.desk.view(tranche_contract(DEAL, tranche), "totalSupply"),
        hand.settings.size.holders_of(tranche),
    )
    dice = np.random.Generator(
        np.random.PCG64(int.from_bytes(derive_seed(hand.settings.seed, "shares", tranche), "big"))
    )
    cuts = cut_down(supply, dice.integers(10, 200, count))
    return dict(zip((holder.name for holder in hand.holders), np.diff(cuts).tolist(), strict=False))


def first_days(hand: Stagehand) -> dict[str, Any]:
    """Every day but the last: credits bought and redeemed, the head anchored, attesters vote, the waterfall runs."""
    _pay_days(hand, hand.days[:-1])
    return {"days": len(hand.days) - 1, "attesters": hand.running.pids, "quorum": QUORUM}


def last_day(hand: Stagehand) -> dict[str, Any]:
    """The last day the same way, under whom the holders voted for; and the week as a whole."""
    _pay_days(hand, hand.days[-1:])
    deal, _ = deal_of(hand)
    return {
        "periods": _told_periods(hand),
        "attesters": hand.running.pids,
        "quorum": QUORUM,
        "collect": deal.accounts[0].name,
        "senior": deal.tranches[0].name,
        "floors": floors_of(deal),
        "collected": pool_acts.collected(hand),
    }


def _pay_days(hand: Stagehand, days: list[Period]) -> None:
    deal, program = deal_of(hand)
    of = open_class(hand.desk, TERMS, hand.desk.contract(DEAL).address, COLLATERAL_USDC_MICRO)
    with hand.bar("closing periods", len(days)) as step:
        for day in days:
            number = hand.days.index(day)
            pool_acts.bill_day(hand, number)
            pool_acts.collect_day(hand, number)
            if day == hand.days[-1]:
                sold_work.record(hand)
            _sell_day(hand, of, number)
            pool_acts.tell_day(hand, number)
            _attest_day(hand, DealPeriod(DEAL, program, number, day.stop_us))
            _close_day(hand, deal, DealPeriod(DEAL, program, number, day.stop_us))
            step(1)


def _told_periods(hand: Stagehand) -> list[dict[str, Any]]:
    """Closed days with every cash step, and each test's ratio [millionths]."""
    history = history_of(hand.workspace, DEAL, hand.workspace.store.size(), len(hand.days) - 1)
    ratios = [{one["name"]: one["ratio_millionths"] for one in covenant_rows(again)} for again in history.periods]
    rows = deal_periods(hand.workspace, DEAL)
    return [row | {"ratios": found} for row, found in zip(rows, ratios, strict=True)]


def _sell_day(hand: Stagehand, of: CreditClass, number: int) -> None:
    """The buyer refills its stock of credits; the credits of the day's answers are redeemed."""
    day, buyer, submit = hand.days[number], hand.cast.chain_key(BUYER), hand.workspace.submit
    if hand.recorded(f"redeem:{number}"):
        return
    book = hand.workspace.read(lambda world: world.compute.book(CREDITS))
    bought = hand.recorded(f"sell:{number}")
    wanted = STOCK_CREDITS - book.outstanding
    if wanted and not bought:
        buy(hand.desk, str(number), of, buyer, wanted, hand.desk.client.head().at_s)
        submit(f"sell:{number}", b"", day.start_us, lambda world: sell(world, CREDITS, BUYER, wanted, day.start_us))
    count = _credits_of_day(hand, number)
    root = _work_root(hand, number)
    redeem_by_receipt(hand.desk, str(number), of, buyer, count, root)
    collect, rack = account_of(DEAL, "collect"), hand.rack
    submit(
        f"redeem:{number}",
        root,
        day.stop_us,
        lambda world: redeem(world, CREDITS, rack, BUYER, count, root, collect, day),
    )


def _credits_of_day(hand: Stagehand, number: int) -> int:
    """Credits whose last token was served by the end of a day, less those of the days before."""
    delivered = hand.workspace.read(lambda world: list(world.capital.performance.delivered))
    through = [sum(one.tokens for one in delivered[:stop]) for stop in (number, number + 1)]
    before, after = (whole_credits(tokens, TERMS.units_per_credit) for tokens in through)
    return after - before


def _work_root(hand: Stagehand, number: int) -> bytes:
    """The Merkle root of the day's answers: what the buyer signs for."""
    receipt = hand.workspace.store.receipt(f"serve:{number}")
    start = receipt.first_seq if receipt else 0
    facts = (row.recorded.fact for row in hand.workspace.facts(start))
    return next(fact.segment.root for fact in facts if isinstance(fact, AnswersServed))


def _attest_day(hand: Stagehand, period: DealPeriod) -> None:
    """Anchor the head, wait for the quorum, record what it said."""
    if hand.recorded(period.key("report")):
        return
    key, at_us = f"checkpoint:{period.number}", period.at_us
    checkpoint = sign_checkpoint(hand.workspace, key, ORIGIN, hand.cast.log_key, at_us)
    anchor_checkpoint(hand.workspace, hand.desk, checkpoint, at_us)
    wait_until(_accepted(hand, at_us // SECOND_US, period.program.pages), hand.running)
    record_report(hand.workspace, hand.desk, period, checkpoint)


def _accepted(hand: Stagehand, as_of_s: int, pages: int) -> Iterator[bool]:
    while True:
        yield accepted_report(hand.desk, DEAL, pages).as_of_s >= as_of_s


def _close_day(hand: Stagehand, deal: Deal, period: DealPeriod) -> None:
    """The waterfall runs; the roofs' tariff is theirs; each tranche pulls and accrues."""
    day, workspace = hand.days[period.number], hand.workspace
    close_on_chain(workspace, hand.desk, period)
    workspace.submit(
        period.key("tariffs"), b"", day.stop_us, lambda world: pay_tariffs(world, DEAL, ROOFS_PAYEE, day, "{}/tariff")
    )
    for tranche in deal.tranches:
        pull_income(workspace, hand.desk, period, tranche.name, hand.settings.size.holders_of(tranche.name))

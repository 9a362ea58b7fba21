"""Close: the waterfall's dollars have spans, balances and steps that agree; and the whole chain keeps the laws."""

from __future__ import annotations

from dataclasses import replace

import pytest
from small_plant import DAYS, ROOFS, Plant

from penstock.capital.exact import Closing, unpaid
from penstock.errors import Conflict, PenstockError
from penstock.journal.kinds import KINDS
from penstock.journal.kinds.capital import PeriodClosed
from penstock.journal.kinds.energy import SpansLinked
from penstock.journal.laws import breaches
from penstock.journal.words import LinkKind
from penstock.usecases.close import close, pay_tariffs, pull
from penstock.usecases.originate import account_of, paid_to, recompile
from penstock.usecases.sell import redeemable
from penstock.usecases.sequencer import Sequencer
from penstock.usecases.world import World


def test_the_whole_chain_keeps_the_five_laws(lived: Plant) -> None:
    assert breaches(lived.world.books) == ()
    assert len(lived.world.capital.deal("first").closed) == len(DAYS)


def test_made_anew_from_the_record_the_books_are_the_same(lived: Plant) -> None:
    again = Sequencer(lived.workspace.store, World, KINDS)
    assert again.read(lambda world: world.books.digest()) == lived.world.books.digest()
    assert again.read(lambda world: world.capital) == lived.world.capital
    assert again.read(lambda world: world.compute) == lived.world.compute
    assert again.read(lambda world: world.energy.digest()) == lived.world.energy.digest()


def closings(plant: Plant) -> list[PeriodClosed]:
    return [row.recorded.fact for row in plant.workspace.facts() if isinstance(row.recorded.fact, PeriodClosed)]


def test_what_came_in_is_what_was_redeemed_and_all_of_it_is_somewhere(lived: Plant) -> None:
    assert sum(one.inflow_usdc_micro for one in closings(lived)) == lived.read_wh("first/collect")
    assert lived.cash_usdc_micro() == lived.read_wh("first/collect")
    assert lived.balance("first/collect") == 0


def test_balances_are_the_lanes_of_the_exact_engine(lived: Plant) -> None:
    record = lived.world.capital.deal("first")
    deal, program = recompile(record.originated)
    for payee in deal.payees:
        owed = unpaid(record.state, program.payee_lanes[payee])
        assert lived.balance(paid_to("first", payee)) == owed
        assert lived.read_wh(paid_to("first", payee)) == owed
    assert record.state.taken_in == lived.cash_usdc_micro()


def test_each_dollar_that_left_has_a_span(lived: Plant) -> None:
    books = lived.world.books
    collect = books.registers.id_of(account_of("first", "collect"))
    assert books.links[LinkKind.PAY].spent(collect) == lived.read_wh("first/collect")
    linked = [row.recorded.fact for row in lived.workspace.facts() if isinstance(row.recorded.fact, SpansLinked)]
    paid = [fact for fact in linked if fact.link is LinkKind.PAY]
    moved = sum(one.usdc_micro for closed in closings(lived) for one in closed.transfers)
    assert sum(fact.quantity_in for fact in paid) == moved + lived.read_wh("first/collect")


def test_steps_say_what_was_due_and_paid(lived: Plant) -> None:
    for row in lived.workspace.facts():
        fact = row.recorded.fact
        if isinstance(fact, PeriodClosed):
            columns = lived.workspace.columns(row)
            assert columns is not None
            assert (columns["paid_usdc_micro"] <= columns["due_usdc_micro"]).sum() > 3
            assert (
                int(columns["paid_usdc_micro"].sum()) == fact.segment.sum == sum(t.usdc_micro for t in fact.transfers)
            )
            roofs = columns["target"] == lived.world.books.accounts.id_of("first/paid/roofs")
            energy_wh = lived.world.capital.performance.delivered[fact.period].energy_wh
            assert columns["paid_usdc_micro"][roofs].tolist() == [energy_wh * 80]


@pytest.fixture
def redeemed(plant: Plant) -> Plant:
    """A day, up to the close."""
    plant.originated()
    plant.sold("sell", 600_000)
    plant.worked(0)
    plant.redeemed(0, redeemable(plant.world, "answers", plant.rack))
    return plant


def test_a_period_is_closed_once(redeemed: Plant) -> None:
    closing = redeemed.closing(0)
    _, program = recompile(redeemed.world.capital.deal("first").originated)
    redeemed.closed(0)
    before = redeemed.world.books.digest()
    with pytest.raises(PenstockError):
        redeemed.do("close twice", lambda world: close(world, "first", program, closing))
    assert redeemed.world.books.digest() == before


def test_a_closing_with_dollars_that_are_not_there_is_refused(redeemed: Plant) -> None:
    _, program = recompile(redeemed.world.capital.deal("first").originated)
    closing = redeemed.closing(0)
    before = redeemed.world.books.digest()
    bigger = _with_more(closing)
    with pytest.raises(PenstockError) as caught:
        redeemed.do("close", lambda world: close(world, "first", program, bigger))
    assert caught.value.code in {"ledger.overdrawn", "links.beyond_meter"}
    assert redeemed.world.books.digest() == before


def _with_more(closing: Closing) -> Closing:
    steps = (
        replace(step, paid=step.paid + 10**12) if step.op == "PAY" and step.paid else step for step in closing.steps
    )
    return replace(closing, steps=tuple(steps))


def test_tariffs_reach_the_roofs_by_what_each_sold(redeemed: Plant) -> None:
    redeemed.closed(0)
    redeemed.do("tariffs", lambda world: pay_tariffs(world, "first", "roofs", DAYS[0], "{}/tariff"))
    books = redeemed.world.books
    earned = {name: redeemed.read_wh(f"{name}/tariff") for name in ROOFS}
    tariff = redeemed.read_wh("first/paid/roofs")
    assert sum(earned.values()) == tariff > 0
    sold = {
        name: books.links[LinkKind.ALLOCATE].linked(
            "source", books.registers.id_of(f"{name}/export"), 0, redeemed.read_wh(f"{name}/export")
        )
        for name in ROOFS
    }
    assert sum(sold.values()) * 80 == tariff
    for name, energy_wh in sold.items():
        assert abs(earned[name] - energy_wh * 80) < 1
    assert breaches(books) == ()


def test_tariffs_are_not_paid_twice(redeemed: Plant) -> None:
    redeemed.closed(0)
    redeemed.do("tariffs", lambda world: pay_tariffs(world, "first", "roofs", DAYS[0], "{}/tariff"))
    before = [redeemed.read_wh(f"{name}/tariff") for name in ROOFS]
    with pytest.raises(Conflict):
        redeemed.do(
            "tariffs", lambda world: pay_tariffs(world, "first", "roofs", DAYS[0], "{}/tariff"), asked=b"another"
        )
    try:
        redeemed.do("tariffs twice", lambda world: pay_tariffs(world, "first", "roofs", DAYS[0], "{}/tariff"))
    except PenstockError as error:
        assert error.code.startswith("links.")
    assert [redeemed.read_wh(f"{name}/tariff") for name in ROOFS] == before


def test_a_pull_moves_what_was_owed_out_of_the_deal(redeemed: Plant) -> None:
    redeemed.closed(0)
    record = redeemed.world.capital.deal("first")
    _, program = recompile(record.originated)
    amount = unpaid(record.state, program.payee_lanes["servicer"])
    redeemed.do("pull", lambda world: pull(world, "first", "servicer", program, 0, "wallets", amount, 1))
    assert (amount, redeemed.balance("first/paid/servicer"), redeemed.balance("wallets")) == (40 * 10**6, 0, amount)
    assert unpaid(redeemed.world.capital.deal("first").state, program.payee_lanes["servicer"]) == 0
    before = redeemed.world.books.digest()
    with pytest.raises(PenstockError) as caught:
        redeemed.do("pull twice", lambda world: pull(world, "first", "servicer", program, 0, "wallets", 1, 1))
    assert caught.value.code == "ledger.overdrawn"
    assert redeemed.world.books.digest() == before


def test_a_second_day_goes_on_where_the_first_ended(lived: Plant) -> None:
    first, second = closings(lived)
    assert (first.period, second.period) == (0, 1)
    assert [first.stop_us, second.stop_us] == [day.stop_us for day in DAYS]
    assert lived.world.capital.deal("first").state.words == second.words
    assert first.words != second.words

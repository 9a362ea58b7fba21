"""One deal of a mixed pool through everything that happens to deals, on a real chain; reconciled every month.

Late data, a missed payment, a period nobody taped, a loss and a recovery, a waiver by vote, an attester and a servicer
replaced, an amendment, a frozen holder at distribution, a dollar that refuses, dust, closes early and twice, a default.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from life_stage import GRACE_S, KEYS, LOANS, NAME, TEXT, USDC, Life

from penstock.errors import PenstockError
from penstock.usecases.attest import Replica
from penstock.usecases.ballot import ballot_contract
from penstock.usecases.close_due import bring
from penstock.usecases.consent import Amendment, Replacement, Waiver, compiled
from penstock.usecases.follow import UNNAMED
from penstock.usecases.pay_period import DealPeriod, close_on_chain
from penstock.usecases.publish import Publication

CYCLE = 30
ALL = range(LOANS)


def refused(act: object, *args: object) -> str:
    with pytest.raises(PenstockError) as raised:
        act(*args)  # type: ignore[operator]
    return raised.value.message.split(": ")[-1].strip(".")


def month(life: Life, number: int, happens: int) -> None:
    """One period: what comes in, what goes wrong, the tape, the report, the close."""
    life.wait_until(life.stop_s(number) - 86_400)
    if happens == 5:
        early = DealPeriod(NAME, life.program, number, life.at_us)
        assert "deal.period_open" in refused(close_on_chain, life.workspace, life.desk, early)
    if happens == 14:
        life.write_off(1, 500 * USDC)
    if happens == 12:
        life.write_off(2, 7 * USDC)
    if happens == 16:
        life.recover(number, 1, 120 * USDC)
    life.wait_until(life.stop_s(number) + 60)
    if happens not in (9, 99):  # a payment missed by all
        life.pay(number, range(2) if happens == 3 else ALL, f"bank {number}")
    if happens == 28:  # dust from nobody, beside what the record tells of
        bring(life.workspace, life.desk, NAME)
        life.desk.act(f"dust {number}", "Dollar", "mint", life.desk.contract(NAME).address, 1)
    if happens == 12:  # nobody taped: once the grace is over it closes as stale
        life.wait_until(life.stop_s(number) + GRACE_S)
    else:
        life.tape(number)
        life.attest(number, recorded=happens != 10)
    if happens == 7:
        life.act("operator", "Registry", "set_frozen", KEYS["senior"].address, True)
    if happens == 10:  # somebody else was faster
        bring(life.workspace, life.desk, NAME)
        life.act("stranger", NAME, "close")
        life.act("stranger", f"{NAME}/A", "pull")
    life.close(number)
    losses = {13: 7 * USDC, 14: 500 * USDC}  # that of the period without a report is told in the next
    if happens != 12:
        assert life.record.reports[number].measures[2] == losses.get(happens, 0)
    if happens == 5:
        assert "deal.period_open" in refused(life.act, "stranger", NAME, "close")
    if happens == 3:  # told after its period was attested and closed: counts in the next
        before = life.record.state.words
        life.pay(number, range(2, LOANS), f"late {number}")
        assert life.record.state.words == before


def between(life: Life, number: int, happens: int) -> None:
    """What happens once the period is closed."""
    servicer = "servicer" if life.record.replaced[-1:] == [] or len(life.record.replaced) % 2 == 0 else "successor"
    match happens:
        case 7:
            assert refused(life.act, "senior", f"{NAME}/A", "transfer", KEYS["junior"].address, 1).startswith(
                "tranche."
            )
            life.agree()
            life.act("operator", "Registry", "set_frozen", KEYS["senior"].address, False)
        case 18:
            vote = life.voted(Waiver("oc", number + 3), "The tape was lost.")
            life.act("stranger", ballot_contract(NAME), "execute_waiver", vote, 2, number + 3)
        case 20:
            life.replace_attester(2, 3 if 3 not in life.seats else 2)
        case 22:
            successor = "successor" if servicer == "servicer" else "servicer"
            lane = life.program.payee_lanes["servicer"]
            vote = life.voted(Replacement("servicer", KEYS[successor].address), "The servicer was late.")
            act = (ballot_contract(NAME), "execute_replacement", vote, lane, KEYS[successor].address)
            life.act("stranger", *act)
            life.act(servicer, NAME, "withdraw_former")
        case 24:
            fee = 40 + number % 7
            text = TEXT.replace("servicer: {amount: 40 USDC}", f"servicer: {{amount: {fee}.5 USDC}}")
            vote, new = life.voted(Amendment(text), f"A fee of {fee}.5."), compiled(text)[1]
            terms = (new.code, bytes(20), new.deal_hash)
            life.act("stranger", ballot_contract(NAME), "execute_amendment", vote, *terms)
        case 26:
            life.dollar_mode(servicer, 1)
            lane = life.program.payee_lanes["servicer"]
            assert refused(life.act, servicer, NAME, "withdraw", lane)
            life.agree()
            life.dollar_mode(servicer, 0)
            life.act(servicer, NAME, "withdraw", lane)
        case 29:
            life.rounds += 1
            for tranche in "ABE":
                life.withdraw(tranche)


def live(folder: Path, months: int) -> None:
    life, seen = Life(folder), set()
    with life.workspace:
        for number in range(months):
            happens = 99 if number >= months - 4 else number % CYCLE
            month(life, number, happens)
            seen.add(life.state)
            between(life, number, happens)
            life.agree()
        assert seen == {"normal", "lockup", "accel"}
        cycles = months // CYCLE
        record = life.record
        assert record.state.period == months == len(record.closed)
        assert [len(one) for one in (record.waived, record.replaced, record.amended)] == [cycles] * 3
        assert record.reports.keys() == set(range(months)) - {
            number for number in range(months - 4) if number % CYCLE == 12
        }
        assert life.desk.view("Anchor", "epoch") == life.first_epoch + cycles
        dusty = [number for number in range(months - 4) if number % CYCLE == 28]
        assert life.ledger()[UNNAMED] == -len(dusty)
        size = life.workspace.store.size()
        replica = Replica()  # an attester who trusts nobody folds all of it to the same state
        replica.advance(Publication(life.workspace.store), size, life.workspace.tree().root(size))
        assert replica.world.capital.deal(NAME).state == record.state


def test_a_deal_lives_three_years(tmp_path: Path) -> None:
    live(tmp_path / "w", 36)


@pytest.mark.nightly
def test_a_deal_lives_twenty_years(tmp_path: Path) -> None:
    live(tmp_path / "w", 240)

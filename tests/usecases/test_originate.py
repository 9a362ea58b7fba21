"""Originate: a deal is what its text compiles to, and an asset is pledged once."""

from __future__ import annotations

import pytest
from small_plant import DEAL_TEXT, Plant

from penstock.capital.compile import compile_deal
from penstock.capital.language import load_deal
from penstock.errors import Conflict, Invalid
from penstock.usecases.originate import account_of, originate, paid_to, recompile


def test_a_deal_opens_its_accounts_and_registers(plant: Plant) -> None:
    plant.originated()
    record = plant.world.capital.deal("first")
    deal, program = recompile(record.originated)
    assert (deal, program.code) == (load_deal(DEAL_TEXT), compile_deal(load_deal(DEAL_TEXT)).code)
    assert record.originated.program == program.code
    assert (record.originated.deal_hash, record.originated.program_hash) == (program.deal_hash, program.program_hash)
    names = [account_of("first", one.name) for one in deal.accounts] + [paid_to("first", one) for one in deal.payees]
    assert len(names) == len(set(names)) == 3 + 5
    assert all(name in plant.world.books.accounts and name in plant.world.books.registers for name in names)


def test_a_second_pledge_of_an_asset_is_refused(plant: Plant) -> None:
    plant.originated(assets=("rack-1", "roof-a"))
    before = plant.world.books.digest()
    with pytest.raises(Conflict) as caught:
        plant.originated("second", ("roof-b", "roof-a"))
    assert caught.value.code == "deal.pledged_twice"
    assert caught.value.ids == {"asset": "roof-a", "deal": "first"}
    assert plant.world.books.digest() == before
    plant.originated("third", ("roof-b",))
    assert set(plant.world.capital.deals) == {"first", "third"}


def test_a_name_stands_for_one_deal(plant: Plant) -> None:
    plant.originated()
    with pytest.raises(Conflict) as caught:
        plant.do("again", lambda world: originate(world, "first", DEAL_TEXT, ("roof-a",)))
    assert caught.value.code == "deal.known"


def test_the_same_key_with_another_text_is_a_conflict(plant: Plant) -> None:
    def submit(text: str) -> bool:
        return plant.do(
            "deal", lambda world: originate(world, "first", text, ("rack-1",)), asked=text.encode()
        ).repeated

    assert submit(DEAL_TEXT) is False
    assert submit(DEAL_TEXT) is True
    with pytest.raises(Conflict) as caught:
        submit(DEAL_TEXT + "# more\n")
    assert caught.value.code == "journal.key_reused"


@pytest.mark.parametrize("text", ["", "deal: 5", DEAL_TEXT.replace("pay E rest", "pay F rest"), DEAL_TEXT[:400]])
def test_a_malformed_deal_changes_nothing(plant: Plant, text: str) -> None:
    before = plant.world.books.digest()
    with pytest.raises(Invalid) as caught:
        plant.do("bad", lambda world: originate(world, "bad", text, ("rack-1",)))
    assert caught.value.code == "deal.malformed"
    assert plant.world.books.digest() == before
    plant.originated()

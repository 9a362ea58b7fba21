"""Registers and accounts: dense numbers, positions that never go back, epochs that continue each other."""

from __future__ import annotations

import numpy as np
import pytest

from penstock.errors import Conflict, NotFound, Refused
from penstock.journal.kinds.ledger import AccountOpened, RegisterOpened
from penstock.journal.register import Accounts, Registers, grown
from penstock.journal.words import RegisterKind, Right, Unit


def meter(urn: str, predecessor: str | None = None, position: int = 0, unit: Unit = Unit.WH) -> RegisterOpened:
    return RegisterOpened(urn, unit, RegisterKind.COUNTED, (Right.ATTRIBUTE,), predecessor, position)


def at(*values: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(values)


def three() -> Registers:
    registers = Registers()
    registers.open(meter("a"))
    registers.open(RegisterOpened("b", Unit.TOKENS, RegisterKind.PROMISED, (Right.USE, Right.ENERGY)))
    registers.open(RegisterOpened("c", Unit.MS, RegisterKind.SCHEDULED))
    return registers


def test_registers_are_numbered_as_they_open() -> None:
    registers = three()
    assert [registers.id_of(urn) for urn in "abc"] == [0, 1, 2]
    assert [registers.urn(number) for number in range(3)] == ["a", "b", "c"]
    assert (registers.unit(1), registers.kind(2)) == (Unit.TOKENS, RegisterKind.SCHEDULED)
    assert registers.are(RegisterKind.COUNTED).tolist() == [True, False, False]
    assert registers.issues(Right.ENERGY).tolist() == [False, True, False]
    assert registers.issues(Right.ATTRIBUTE).tolist() == [True, False, False]
    assert ("b" in registers, "d" in registers, len(registers)) == (True, False, 3)


def test_unknown_and_repeated_names_are_refused() -> None:
    registers = three()
    with pytest.raises(NotFound, match=r"register\.unknown"):
        registers.id_of("d")
    for number in (-1, 3):
        with pytest.raises(NotFound, match=r"register\.unknown"):
            registers.urn(number)
        with pytest.raises(NotFound, match=r"register\.unknown"):
            registers.advance(at(0, number), at(5, 5))
    with pytest.raises(Conflict, match=r"register\.known"):
        registers.open(meter("a"))
    assert (len(registers), registers.read.tolist()) == (3, [0, 0, 0])


def test_a_register_never_goes_back() -> None:
    registers = three()
    registers.advance(at(2, 0, 2, 0), at(7, 5, 7, 9))
    assert registers.read.tolist() == [9, 0, 7]
    for register, position, row in ((at(0), at(8), 0), (at(1, 0, 1), at(4, 9, 3), 2), (at(2, 2, 2), at(6, 7, 6), 0)):
        with pytest.raises(Refused, match=r"register\.backwards") as raised:
            registers.advance(register, position)
        assert raised.value.ids["row"] == str(row)
        assert registers.read.tolist() == [9, 0, 7]
    registers.raise_to(at(0, 1), at(3, 4))
    assert registers.read.tolist() == [9, 4, 7]


def test_positions_are_seen_but_not_touched() -> None:
    with pytest.raises(ValueError, match="read-only"):
        three().read[0] = 1


def test_an_epoch_continues_where_the_one_before_it_stands() -> None:
    registers = three()
    registers.advance(at(0), at(50))
    wrong = (meter("a2", "a", 49), meter("a2", "a", 50, Unit.MJ))
    for opened in wrong:
        with pytest.raises(Refused, match=r"register\.epoch"):
            registers.open(opened)
    with pytest.raises(NotFound, match=r"register\.unknown"):
        registers.open(meter("a2", "z", 50))
    assert len(registers) == 3
    registers.open(meter("a2", "a", 50))
    registers.advance(at(0, 3), at(50, 1))
    with pytest.raises(Refused, match=r"register\.closed"):
        registers.advance(at(0), at(51))
    with pytest.raises(Refused, match=r"register\.epoch"):
        registers.open(meter("a3", "a", 50))


def test_the_digest_tells_names_traits_and_positions() -> None:
    digests = {three().digest(), Registers().digest()}
    moved = three()
    moved.advance(at(1), at(1))
    digests.add(moved.digest())
    renamed = Registers()
    renamed.open(meter("ab"))
    digests.add(renamed.digest())
    split = Registers()
    split.open(meter("a"))
    digests.add(split.digest())
    split.open(meter("b"))
    digests.add(split.digest())
    assert len(digests) == 6
    assert three().digest() == three().digest()


def test_many_registers_fit() -> None:
    registers = Registers()
    for number in range(100):
        registers.open(meter(f"meter {number}"))
        registers.advance(at(number), at(number))
    assert registers.read.tolist() == list(range(100))
    assert registers.issues(Right.ATTRIBUTE).all()


def test_accounts_are_numbered_and_know_the_world_outside() -> None:
    accounts = Accounts()
    assert [accounts.open(AccountOpened(name, name == "world")) for name in ("world", "investor")] == [0, 1]
    assert (accounts.id_of("investor"), accounts.name(0)) == (1, "world")
    assert [accounts.is_external(number) for number in (0, 1)] == [True, False]
    with pytest.raises(Conflict, match=r"account\.known"):
        accounts.open(AccountOpened("world"))
    with pytest.raises(NotFound, match=r"account\.unknown"):
        accounts.id_of("attacker")
    with pytest.raises(NotFound, match=r"account\.unknown"):
        accounts.name(2)
    assert ("investor" in accounts, len(accounts)) == (True, 2)


def test_a_column_grows_by_doubling_and_keeps_what_it_holds() -> None:
    column = np.arange(4)
    assert grown(column, 4) is column
    assert grown(column, 5).tolist() == [0, 1, 2, 3, 0, 0, 0, 0]
    assert len(grown(column, 50)) == 50
    assert grown(np.ones((1, 3)), 2).shape == (2, 3)

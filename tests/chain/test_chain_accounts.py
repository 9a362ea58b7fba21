"""Warm accounts, own trie and lean instructions give what py-evm's own give: outcome, gas, logs and state root."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import pytest
import rlp
from chain_kit import GENESIS, INVESTOR, OPERATOR, Clock, calldata, deploy_dollar, sign
from eth.constants import BLANK_ROOT_HASH, EMPTY_SHA3
from eth.vm.forks.prague.state import PragueState
from eth_typing import Address

from penstock.chain import evm
from penstock.chain.accounts import WarmAccounts, encode_account
from penstock.chain.evm import Outcome, PragueEvm
from penstock.chain.node import Node
from penstock.chain.state_store import StateStore
from penstock.chain.tx import Tx
from penstock.errors import Refused

CALLER, TARGET, OTHER = b"\xaa" * 20, b"\xbb" * 20, b"\xcc" * 20


class Reference(PragueState):
    """py-evm's own Prague, with the same two rules of this chain."""

    def set_system_contracts(self) -> None:
        """None in the genesis."""

    def delta_balance(self, address: Address, delta: int) -> None:
        if delta:
            super().delta_balance(address, delta)


@pytest.mark.parametrize("nonce", [0, 1, 0x7F, 0x80, 2**64 - 1])
@pytest.mark.parametrize("balance", [0, 1, 0x7F, 0x80, 0xFF, 0x100, 10**24, 2**256 - 1])
def test_an_account_is_encoded_as_rlp_does(nonce: int, balance: int) -> None:
    expected = rlp.encode([nonce, balance, BLANK_ROOT_HASH, EMPTY_SHA3])
    assert encode_account(nonce, balance, BLANK_ROOT_HASH, EMPTY_SHA3) == expected


def test_the_chain_is_the_same_on_py_evms_own_state(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    heads = []
    for state in (evm._State, Reference):
        monkeypatch.setattr(evm, "_State", state)
        with Node(GENESIS, now=clock) as node:
            mined = node.archive.tx(node.send(deploy_dollar(OPERATOR, 0)))
            assert mined and mined.contract
            token = mined.contract.hex()
            node.send(
                sign(OPERATOR, 1, token, data=calldata("mint(address,uint256)", OPERATOR.address, 9), gas=200_000)
            )
            for nonce in range(2, 8):  # the last two revert
                move = calldata("transfer(address,uint256)", INVESTOR.address, nonce - 1)
                node.send(sign(OPERATOR, nonce, token, data=move, gas=200_000))
            node.send_many([sign(OPERATOR, n, INVESTOR.address, value=n) for n in range(8, 20)])
            node.send(sign(OPERATOR, 20, data=b"\xfe", gas=100_000))
            heads.append(node.head)
    assert heads[0] == heads[1]


@dataclass
class Fragments:
    """Random programs of instructions that matter here: most run a while, many end in an error."""

    dice: random.Random

    def program(self, length: int) -> bytes:
        """Some values to work on, and ``length`` fragments; a return in the middle of some makes the others reverts."""
        return b"".join([self._value() for _ in range(length // 2)] + [self._fragment() for _ in range(length)])

    def _fragment(self) -> bytes:
        dice = self.dice
        kind = dice.random()
        if kind < 0.30:
            return self._value()
        if kind < 0.45:  # arithmetic, comparison, bits, on what is there
            return bytes([dice.choice((1, 2, 3, 4, 5, 6, 7, 0x10, 0x11, 0x12, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1A,
                                       0x1B, 0x1C, 0x1D, 0x50, 0x58, 0x59, 0x5A))])  # fmt: skip
        if kind < 0.55:
            return bytes([dice.choice((0x80, 0x90)) + dice.randrange(dice.choice((3, 16)))])
        if kind < 0.75:  # slots (few, so that they meet), transient slots, memory
            return self._small(8) + self._small(4) + bytes([dice.choice((0x55, 0x55, 0x5D, 0x52, 0x53))])
        if kind < 0.85:
            return self._small(4) + bytes([dice.choice((0x54, 0x5C, 0x51, 0x35, 0x31, 0x3B, 0x3F))])
        if kind < 0.88:  # jump on, or on a condition, rarely to nowhere
            onward = dice.choice((4, 4, 5, 6, 6, 7, 9) if dice.random() < 0.1 else (5, 6))
            return b"\x58" + bytes([0x60, onward]) + b"\x01\x56" + b"\x5b\x5b\x5b"
        return self._call() if kind < 0.94 else self._rare()

    def _value(self) -> bytes:
        size = self.dice.choice((0, 1, 1, 1, 2, 20, 31, 32))
        return bytes([0x5F + size]) + self.dice.choice((bytes(size), b"\xff" * size, self.dice.randbytes(size)))

    def _small(self, below: int) -> bytes:
        return bytes([0x60, self.dice.randrange(below)])

    def _call(self) -> bytes:
        """CALL, DELEGATECALL or STATICCALL of a contract, itself among them, or of nobody."""
        to = b"\x73" + self.dice.choice((TARGET, OTHER, OTHER, self.dice.randbytes(20), bytes(19) + b"\x02"))
        act = self.dice.choice((0xF1, 0xF4, 0xFA))
        value = self._small(3) if act == 0xF1 else b""
        return b"\x60\x20\x5f\x60\x20\x5f" + value + to + b"\x61\x27\x10" + bytes([act])

    def _rare(self) -> bytes:
        made = b"\x60\x07\x60\x01\x55\x60\x01\x5f\xf3"  # a contract's making: one slot, one byte of code
        create = b"\x68" + made + b"\x5f\x52\x60\x09\x60\x17\x5f\xf0"
        digest = b"\x60\x15\x60\x03\x20"
        log = b"\x60\x01\x60\x02\x60\x20\x5f\xa2"
        end = b"\x60\x20\x5f" + self.dice.choice((b"\xf3", b"\xfd"))
        copied = b"".join(self._small(40) for _ in range(3)) + self.dice.choice((b"\x39", b"\x37", b"\x5e"))
        return self.dice.choice(
            (create, create, digest, copied, copied, log, log, end, b"\x73" + OTHER + b"\xff", b"\x00", b"\xfe")
        )


def played(seed: int) -> tuple[list[Outcome | str], bytes]:
    """What a few blocks of random contracts come to, and the root after them."""
    dice = random.Random(seed)  # noqa: S311
    make = Fragments(dice)
    nodes, header = StateStore(None), GENESIS.header()
    engine = PragueEvm(1)
    first = engine.open(nodes, header, BLANK_ROOT_HASH, ())
    first.set_account(CALLER, 10**24, b"", 0)
    for address in (TARGET, OTHER):
        first.set_account(address, 5, make.program(dice.choice((10, 40, 120))), 1)
    state = engine.open(nodes, header, first.persist(), ())
    outcomes: list[Outcome | str] = []
    for nonce in range(8):
        to = dice.choice((TARGET, TARGET, OTHER, b""))
        data = make.program(30) if not to else dice.randbytes(40)
        gas = dice.choice((60_000, 90_000, 400_000))
        outcomes.append(applied(state, Tx(CALLER, nonce, gas, to, dice.choice((0, 3)), data, max_fee_per_gas=10**10)))
        if nonce % 3 == 2:
            state.persist()
    return outcomes, state.persist()


def applied(state: Any, tx: Tx) -> Outcome | str:
    try:
        outcome: Outcome = state.apply(tx)
    except Refused as refused:
        return refused.code
    return outcome


@pytest.mark.filterwarnings("ignore:SELFDESTRUCT opcode")
@pytest.mark.parametrize("seed", range(60))
def test_random_contracts_come_to_the_same(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = played(seed)
    monkeypatch.setattr(evm, "_State", Reference)
    assert ours == played(seed)


@pytest.mark.filterwarnings("ignore:SELFDESTRUCT opcode")
def test_forgetting_what_is_at_hand_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = played(3)
    monkeypatch.setattr("penstock.chain.accounts._READS_KEPT", 0)
    assert kept == played(3)


def test_a_checkpoint_undoes_all_kinds_of_change() -> None:
    accounts = WarmAccounts({})
    accounts.set_balance(CALLER, 7)
    accounts.set_storage(CALLER, 1, 5)
    root_of_these = WarmAccounts({})
    root_of_these.set_balance(CALLER, 7)
    root_of_these.set_storage(CALLER, 1, 5)
    point = accounts.record()
    accounts.set_storage(CALLER, 1, 0)
    accounts.set_transient(CALLER, 1, b"\x01")
    accounts.mark_storage_warm(CALLER, 1)
    accounts.set_code(OTHER, b"\x00")
    accounts.delete_account(CALLER)
    assert not accounts.account_exists(CALLER) and accounts.get_storage(CALLER, 1) == 0
    accounts.discard(point)
    assert accounts.get_balance(CALLER) == 7 and accounts.get_storage(CALLER, 1) == 5
    assert not accounts.is_storage_warm(CALLER, 1) and accounts.get_transient(CALLER, 1) == b""
    accounts.set_transient(CALLER, 1, b"\x01")
    accounts.lock_changes()
    assert accounts.get_transient(CALLER, 1) == b""
    accounts.persist()
    root_of_these.persist()
    assert accounts.state_root == root_of_these.state_root

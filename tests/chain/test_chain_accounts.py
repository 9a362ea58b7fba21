"""Warm accounts write what py-evm's own database writes."""

from __future__ import annotations

import pytest
import rlp
from chain_kit import GENESIS, INVESTOR, OPERATOR, Clock, calldata, deploy_dollar, sign
from eth.constants import BLANK_ROOT_HASH, EMPTY_SHA3
from eth.db.account import AccountDB

from penstock.chain import evm
from penstock.chain.accounts import WarmAccounts, encode_account
from penstock.chain.node import Node


@pytest.mark.parametrize("nonce", [0, 1, 0x7F, 0x80, 2**64 - 1])
@pytest.mark.parametrize("balance", [0, 1, 0x7F, 0x80, 0xFF, 0x100, 10**24, 2**256 - 1])
def test_an_account_is_encoded_as_rlp_does(nonce: int, balance: int) -> None:
    expected = rlp.encode([nonce, balance, BLANK_ROOT_HASH, EMPTY_SHA3])
    assert encode_account(nonce, balance, BLANK_ROOT_HASH, EMPTY_SHA3) == expected


def test_the_chain_is_the_same_with_py_evms_own_accounts(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    heads = []
    for accounts in (WarmAccounts, AccountDB):
        monkeypatch.setattr(evm._State, "account_db_class", accounts)
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

"""Transactions signed here: byte for byte what wallets sign, and read back as they were meant."""

from __future__ import annotations

import pytest
from eth_account import Account
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from penstock.chain.tx import decode
from penstock.chain.tx_sign import Terms, sign
from penstock.keys import ChainKey

KEY = ChainKey(keccak(text="operator"))
TO = keccak(text="token")[-20:]
TERMS = [
    Terms(20_260_701, 0, 0, 0, 21_000, TO, 0, b""),
    Terms(1, 127, 10**9, 3 * 10**9, 400_000, TO, 10**18, b"\0\x7f\x80" * 100),
    Terms(8_453, 128, 1, 2**70, 5_000_000, b"", 0, b"\x60" * 3_000),
    *(Terms(31_337, 2**nonce, 7, 11, 90_000, TO, nonce, bytes([nonce])) for nonce in range(40)),
]


@pytest.mark.parametrize("terms", TERMS)
def test_the_bytes_are_a_wallets(terms: Terms) -> None:
    wallet = Account.sign_transaction(
        {
            "chainId": terms.chain_id, "nonce": terms.nonce, "gas": terms.gas, "maxFeePerGas": terms.cap,
            "maxPriorityFeePerGas": terms.tip, "value": terms.value, "data": terms.data,
        } | ({"to": to_checksum_address(terms.to)} if terms.to else {}),
        KEY.secret,
    )  # fmt: skip
    raw, tx_hash = sign(terms, KEY)
    assert (raw, tx_hash) == (bytes(wallet.raw_transaction), bytes(wallet.hash))


@pytest.mark.parametrize("terms", TERMS[:3])
def test_the_chain_reads_what_was_meant(terms: Terms) -> None:
    tx = decode(sign(terms, KEY)[0], terms.chain_id)
    read = (tx.nonce, tx.max_priority_fee_per_gas, tx.max_fee_per_gas, tx.gas, tx.to, tx.value, tx.data)
    assert read == (terms.nonce, terms.tip, terms.cap, terms.gas, terms.to, terms.value, terms.data)
    assert tx.sender == KEY.address

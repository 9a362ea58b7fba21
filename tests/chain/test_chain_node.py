"""The node: what it takes, what it refuses, and that a refusal leaves no trace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import rlp
from chain_kit import (
    ATTACKER,
    ETHER,
    GENESIS,
    INVESTOR,
    OPERATOR,
    STORES_ITS_FIRST_WORD,
    Clock,
    calldata,
    deploy_dollar,
    sign,
)
from eth.vm.forks.prague import PragueVM
from eth.vm.forks.prague.blocks import PragueBlockHeader
from eth_typing import Address, BlockNumber, Hash32
from eth_utils.exceptions import ValidationError
from web3 import Web3

from penstock.chain.evm import Execution
from penstock.chain.header import Header, check_child, decode_header, next_base_fee
from penstock.chain.node import Genesis, Node
from penstock.errors import Conflict, Corrupt, Invalid, PenstockError, Refused

TO = INVESTOR.address
TO_RAW = bytes.fromhex(TO[2:])


def balance(node: Node, address: str) -> int:
    return node.view.balance(bytes.fromhex(address[2:]))


def as_py_evm(header: Header) -> PragueBlockHeader:
    return PragueBlockHeader(
        difficulty=0, block_number=BlockNumber(header.number), gas_limit=header.gas_limit, timestamp=header.at_s,
        coinbase=Address(header.coinbase), parent_hash=Hash32(header.parent_hash),
        state_root=Hash32(header.state_root), transaction_root=Hash32(header.tx_root),
        receipt_root=Hash32(header.receipt_root), bloom=int.from_bytes(header.bloom, "big"),
        gas_used=header.gas_used, extra_data=header.extra, nonce=bytes(8), base_fee_per_gas=header.base_fee,
    )  # fmt: skip


def test_same_parameters_give_the_same_genesis_and_others_another() -> None:
    with (
        Node(GENESIS) as one,
        Node(Genesis(alloc=dict(GENESIS.alloc))) as same,
        Node(replace(GENESIS, at_s=1)) as other,
    ):
        assert one.head.hash == same.head.hash != other.head.hash


def test_a_transfer_moves_value_and_pays_its_gas(node: Node) -> None:
    node.send(sign(OPERATOR, 0, TO, value=ETHER))
    price = node.head.base_fee + 1
    assert balance(node, TO) == 1_001 * ETHER
    assert balance(node, OPERATOR.address) == 999 * ETHER - 21_000 * price
    assert node.head.number == 1


def test_block_hash_is_py_evms_and_survives_encoding(node: Node) -> None:
    node.send(deploy_dollar(OPERATOR, 0))
    node.send(sign(OPERATOR, 1, TO))
    assert as_py_evm(node.head).hash == node.head.hash
    assert decode_header(node.head.encoded) == node.head
    with pytest.raises(Corrupt, match="block header"):
        decode_header(node.head.encoded[:-1])


def test_equal_block_times_are_taken_here_and_refused_by_py_evm(node: Node) -> None:
    parent = node.head
    node.send(sign(OPERATOR, 0, TO))
    node.send(sign(OPERATOR, 1, TO))
    first, second = node.archive.header(1), node.archive.header(2)
    assert first and second and first.at_s == second.at_s == parent.at_s + 1_000
    with pytest.raises(ValidationError, match="strictly later"):
        PragueVM.validate_header(as_py_evm(second), as_py_evm(first))
    PragueVM.validate_header(as_py_evm(first), as_py_evm(parent))


def test_block_time_follows_the_clock_but_never_falls(node: Node, clock: Clock) -> None:
    clock.at_s += 5
    ahead = node.mine().at_s
    clock.at_s -= 100
    assert (ahead, node.mine().at_s) == (GENESIS.at_s + 1_005, GENESIS.at_s + 1_005)


@pytest.mark.parametrize(
    "change",
    [{"at_s": 0}, {"number": 5}, {"parent_hash": bytes(32)}, {"base_fee": 1}, {"gas_used": 31_000_000}],
    ids=lambda change: next(iter(change)),
)
def test_check_child_names_the_broken_rule(node: Node, change: dict[str, Any]) -> None:
    child = node.next_header()
    check_child(child, node.head)
    with pytest.raises(Corrupt) as broken:
        check_child(replace(child, **change), node.head)
    assert broken.value.code == "chain.block_rule"


def test_base_fee_follows_eip_1559(node: Node) -> None:
    full = replace(node.head, gas_used=30_000_000)
    assert next_base_fee(full) == 1_125_000_000
    assert next_base_fee(replace(full, gas_used=15_000_000)) == 1_000_000_000
    assert next_base_fee(replace(full, gas_used=0, base_fee=7)) == 7


REFUSALS: dict[str, Callable[[], bytes]] = {
    "chain.nonce_too_low": lambda: sign(OPERATOR, 0, TO, value=2),
    "chain.nonce_too_high": lambda: sign(OPERATOR, 5_000, TO),
    "chain.insufficient_funds": lambda: sign(OPERATOR, 1, TO, value=2_000 * ETHER),
    "chain.gas_too_low": lambda: sign(OPERATOR, 1, TO, gas=20_999),
    "chain.gas_limit": lambda: sign(OPERATOR, 1, TO, gas=30_000_001),
    "chain.tip_above_cap": lambda: sign(OPERATOR, 1, TO, maxFeePerGas=10**10, maxPriorityFeePerGas=10**11),
    "chain.fee_below_base": lambda: sign(OPERATOR, 1, TO, maxFeePerGas=5),
    "chain.initcode_size": lambda: sign(OPERATOR, 1, data=b"\x01" * 49_153, gas=5_000_000),
    "chain.other_chain_id": lambda: sign(OPERATOR, 1, TO, chainId=1),
    "chain.malformed_tx": lambda: sign(OPERATOR, 1, TO)[:-3],
    "chain.oversized": lambda: sign(OPERATOR, 1, TO, data=bytes(131_072), gas=3_000_000),
    "chain.unprotected": lambda: rlp.encode([1, 10**10, 21_000, bytes(20), 0, b"", 27, 1, 1]),
    "chain.tx_type": lambda: b"\x03" + sign(OPERATOR, 1, TO)[1:],
}


@pytest.mark.parametrize("code", REFUSALS)
def test_a_refused_transaction_leaves_no_trace(node: Node, code: str) -> None:
    node.send(sign(OPERATOR, 0, TO))
    before = (node.head, len(node.pool), balance(node, OPERATOR.address))
    with pytest.raises((Refused, Invalid)) as refused:
        node.send(REFUSALS[code]())
    assert refused.value.code == code
    assert (node.head, len(node.pool), balance(node, OPERATOR.address)) == before
    node.send(sign(OPERATOR, 1, TO))
    assert node.head.number == 2


def test_calldata_floor_binds_at_admission_and_in_the_receipt(node: Node) -> None:
    data = b"\x01" * 1_000  # 4 tokens a byte, 10 gas a token: 61,000; without the floor 37,000 would do
    with pytest.raises(Refused, match="minimum needed 61000"):
        node.send(sign(OPERATOR, 0, TO, data=data, gas=60_999))
    mined = node.archive.tx(node.send(sign(OPERATOR, 0, TO, data=data, gas=80_000)))
    assert mined and mined.gas_used == 61_000
    assert balance(node, OPERATOR.address) == 1_000 * ETHER - 61_000 * mined.price


def test_one_bad_transaction_does_not_spoil_its_block(node: Node) -> None:
    # Each alone is affordable, so both are admitted; the second is not once the first has run.
    rich = sign(ATTACKER, 0, TO, value=900 * ETHER)
    poor = sign(ATTACKER, 1, TO, value=900 * ETHER)
    results = node.send_many([sign(OPERATOR, 0, TO), rich, poor, sign(OPERATOR, 1, TO), b"\x02junk"])
    kinds = [result.code if isinstance(result, PenstockError) else "taken" for result in results]
    assert kinds == ["taken", "taken", "chain.tx_invalid", "taken", "chain.malformed_tx"]
    assert len(node.archive.txs(1)) == 3 and node.head.number == 1
    assert balance(node, TO) == 1_900 * ETHER and not len(node.pool)


def test_a_batch_beyond_the_gas_limit_takes_several_blocks(node: Node) -> None:
    raws = [sign(OPERATOR, n, TO, gas=12_000_000) for n in range(5)]
    assert all(isinstance(result, bytes) for result in node.send_many(raws))
    # The limit is on what is promised: 12M + 21k + ... no longer fits once 18M is left, gas used is what counts.
    assert [len(node.archive.txs(n)) for n in range(1, node.head.number + 1)] == [5]
    tight = [sign(OPERATOR, 5 + n, data=b"\xfe", gas=12_000_000) for n in range(5)]  # INVALID burns it all
    node.send_many(tight)
    assert [len(node.archive.txs(n)) for n in range(2, node.head.number + 1)] == [2, 2, 1]


def test_order_of_arrival_holds_across_senders(node: Node) -> None:
    sent = [sign(OPERATOR, 0, TO), sign(ATTACKER, 0, TO), sign(OPERATOR, 1, TO), sign(ATTACKER, 1, TO)]
    hashes = node.send_many(sent)
    assert node.archive.tx_hashes(1) == hashes


def test_a_gap_in_nonces_waits_until_it_is_filled(node: Node) -> None:
    node.send(sign(OPERATOR, 2, TO))
    node.send(sign(OPERATOR, 1, TO))
    assert (node.head.number, len(node.pool)) == (0, 2)
    node.send(sign(OPERATOR, 0, TO))
    assert (node.head.number, len(node.pool), len(node.archive.txs(1))) == (1, 0, 3)


def test_waiting_transactions_are_known_and_replaced_only_for_a_tenth_more() -> None:
    with Node(GENESIS, automine=False) as node:
        first = sign(OPERATOR, 0, TO, maxFeePerGas=10**10, maxPriorityFeePerGas=100)
        node.send(first)
        for raw, code in (
            (first, "chain.already_known"),
            (sign(OPERATOR, 0, TO, maxFeePerGas=10**10 + 1, maxPriorityFeePerGas=101), "chain.underpriced"),
            (sign(OPERATOR, 0, TO, maxFeePerGas=2 * 10**10, maxPriorityFeePerGas=100), "chain.underpriced"),
        ):
            with pytest.raises(Refused) as refused:
                node.send(raw)
            assert refused.value.code == code
        better = node.send(sign(OPERATOR, 0, TO, maxFeePerGas=11 * 10**9, maxPriorityFeePerGas=110))
        assert node.head.number == 0
        node.mine()
        assert node.archive.tx_hashes(1) == [better]


def test_types_0_1_2_and_4_run_and_their_senders_are_recovered(node: Node, w3: Web3) -> None:
    access = [{"address": TO, "storageKeys": ["0x" + "11" * 32]}]
    delegation = OPERATOR.sign_authorization({"chainId": node.chain_id, "address": TO, "nonce": 4})
    raws = [
        sign(OPERATOR, 0, TO, gasPrice=10**10),
        sign(OPERATOR, 1, TO, gasPrice=10**10, accessList=access, type=1, gas=30_000),
        sign(OPERATOR, 2, TO),
        sign(OPERATOR, 3, TO, authorizationList=[delegation], gas=100_000),
    ]
    for kind, raw in zip((0, 1, 2, 4), raws, strict=True):
        receipt = w3.eth.get_transaction_receipt(w3.eth.send_raw_transaction(raw))
        assert (receipt["type"], receipt["status"], receipt["from"]) == (kind, 1, OPERATOR.address)
    assert node.view.code(bytes.fromhex(OPERATOR.address[2:])) == b"\xef\x01\x00" + TO_RAW
    node.send(sign(OPERATOR, 5, TO))  # a delegated account still sends (EIP-3607 as amended by 7702)


def test_a_signature_with_high_s_is_refused(node: Node) -> None:
    low = sign(OPERATOR, 0, TO)
    parts = rlp.decode(low[1:])
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    parts[-1] = (order - int.from_bytes(parts[-1], "big")).to_bytes(32, "big")
    parts[-3] = b"" if parts[-3] else b"\x01"
    with pytest.raises(Invalid) as refused:
        node.send(b"\x02" + rlp.encode(parts))
    assert refused.value.code == "chain.bad_signature"


def test_an_engine_fault_rolls_back_everything_and_does_not_recur(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    node.send(sign(OPERATOR, 1, TO))  # waits for nonce 0, saved
    before = (node.head, balance(node, OPERATOR.address))
    real = type(node.view).apply

    def faulty(self: Execution, tx: Any) -> Any:
        if tx.nonce == 1:
            raise RuntimeError("engine fault")
        return real(self, tx)

    monkeypatch.setattr(type(node.view), "apply", faulty)
    with pytest.raises(RuntimeError, match="engine fault"):
        node.send(sign(OPERATOR, 0, TO))
    assert (node.head, balance(node, OPERATOR.address), len(node.pool)) == (*before, 0)
    assert node.archive.head() == before[0]
    node.send(sign(OPERATOR, 0, TO))
    assert node.head.number == 1


def test_call_and_state_of_any_past_block(node: Node, w3: Web3) -> None:
    mined = node.archive.tx(node.send(deploy_dollar(OPERATOR, 0)))
    assert mined and mined.contract
    token = "0x" + mined.contract.hex()
    for n in range(1, 4):
        node.send(sign(OPERATOR, n, token, data=calldata("mint(address,uint256)", TO, n), gas=200_000))
    question: Any = {"to": w3.to_checksum_address(token), "data": calldata("balanceOf(address)", TO)}
    assert [int(w3.eth.call(question, n).hex(), 16) for n in (1, 2, 3, 4)] == [0, 1, 3, 6]


def test_another_chain_in_the_file_is_a_conflict(tmp_path: Any) -> None:
    Node(GENESIS, tmp_path / "chain").close()
    for other in (replace(GENESIS, chain_id=5), replace(GENESIS, at_s=7), replace(GENESIS, alloc={})):
        with pytest.raises(Conflict) as refused:
            Node(other, tmp_path / "chain")
        assert refused.value.code == "chain.wrong_chain"
    with Node(GENESIS, tmp_path / "chain") as again:
        assert again.head.number == 0


def test_calls_nest_as_deep_as_gas_allows(node: Node) -> None:
    # Each call passes 63/64 of its gas to itself, several hundred deep: neither stack nor recursion limit may end it.
    runtime = bytes.fromhex("5f5f5f5f5f305af100")
    mined = node.archive.tx(
        node.send(sign(OPERATOR, 0, data=bytes.fromhex("6009600a5f3960095ff3") + runtime, gas=200_000))
    )
    assert mined and mined.contract
    deep = node.archive.tx(node.send(sign(OPERATOR, 1, mined.contract.hex(), gas=29_000_000)))
    assert deep and deep.status == 1 and deep.gas_used > 50_000


def test_a_nonce_taken_by_an_authorization_is_refused_and_does_not_linger(clock: Clock) -> None:
    with Node(GENESIS, now=clock, automine=False) as node:
        delegation = INVESTOR.sign_authorization({"chainId": node.chain_id, "address": TO, "nonce": 0})
        node.send(sign(OPERATOR, 0, TO, authorizationList=[delegation], gas=100_000))
        node.send(sign(INVESTOR, 0, OPERATOR.address, value=1))
        node.mine()
        assert len(node.archive.txs(1)) == 1 and not len(node.pool)
        node.send(sign(INVESTOR, 1, OPERATOR.address, value=1))
        node.mine()
        assert len(node.archive.txs(2)) == 1


def test_refund_and_calldata_floor_together_are_charged_as_the_balance_says(node: Node) -> None:
    # Clearing a slot refunds; heavy calldata sets a floor. Receipt and balance must tell the same gas (EIP-7623).
    mined = node.archive.tx(node.send(sign(OPERATOR, 0, data=STORES_ITS_FIRST_WORD, gas=200_000)))
    assert mined and mined.contract
    for nonce, data in enumerate((b"\x01" * 32, bytes(32) + b"\x01" * 700, b"\x01" * 32, bytes(32)), 1):
        before = balance(node, OPERATOR.address)
        spent = node.archive.tx(node.send(sign(OPERATOR, nonce, mined.contract.hex(), data=data, gas=400_000)))
        assert spent and spent.status and before - balance(node, OPERATOR.address) == spent.gas_used * spent.price
        assert spent.gas_used >= spent.tx.floor_gas

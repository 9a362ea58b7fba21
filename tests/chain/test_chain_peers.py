"""Second opinions: the same signed transactions on anvil, and viem as a second client."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import rlp
from chain_kit import (
    ATTACKER,
    INVESTOR,
    NODE_JS,
    OPERATOR,
    ROOT,
    STORES_ITS_FIRST_WORD,
    calldata,
    deploy_dollar,
    dollar,
    sign,
)
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from web3 import Web3
from web3.types import RPCEndpoint

from penstock.chain.node import CHAIN_ID, Node
from penstock.chain.proof import check_slot
from penstock.chain.rpc import serve

TO = INVESTOR.address
SAME_IN_RECEIPTS = ("status", "gasUsed", "type", "from", "to", "contractAddress", "logsBloom", "transactionHash")
SAME_IN_LOGS = ("address", "topics", "data", "logIndex", "transactionHash")


def script() -> list[bytes]:
    """Deploy, mint, transfer, revert, approve and spend, plain value, calldata floor, delegation."""
    token = to_checksum_address(_created(OPERATOR.address, 0))
    stores = to_checksum_address(_created(OPERATOR.address, 8))
    move = {"gas": 200_000}
    delegation = ATTACKER.sign_authorization({"chainId": CHAIN_ID, "address": token, "nonce": 0})
    return [
        deploy_dollar(OPERATOR, 0),
        sign(OPERATOR, 1, token, data=calldata("mint(address,uint256)", OPERATOR.address, 10**9), **move),
        sign(OPERATOR, 2, token, data=calldata("transfer(address,uint256)", TO, 5), **move),
        sign(OPERATOR, 3, token, data=calldata("transfer(address,uint256)", TO, 5), **move),
        sign(OPERATOR, 4, token, data=calldata("transfer(address,uint256)", TO, 10**18), **move),
        sign(OPERATOR, 5, token, data=calldata("approve(address,uint256)", TO, 7), gasPrice=10**11, **move),
        sign(
            INVESTOR, 0, token, data=calldata("transferFrom(address,address,uint256)", OPERATOR.address, TO, 7), **move
        ),
        sign(INVESTOR, 1, ATTACKER.address, value=12_345),
        sign(INVESTOR, 2, ATTACKER.address, data=b"\x00\x01" * 600, gas=90_000),
        sign(OPERATOR, 6, data=b"\xfe", gas=100_000),
        sign(INVESTOR, 3, TO, authorizationList=[delegation], gas=100_000),
        sign(OPERATOR, 7, ATTACKER.address, data=calldata("decimals()"), gas=100_000),
        sign(OPERATOR, 8, data=STORES_ITS_FIRST_WORD, gas=200_000),
        sign(OPERATOR, 9, stores, data=b"\x01" * 32, gas=200_000),
        sign(OPERATOR, 10, stores, data=bytes(32) + b"\x01" * 700, gas=200_000),  # refund under the calldata floor
        sign(OPERATOR, 11, stores, data=b"\x01" * 32, gas=200_000),
        sign(OPERATOR, 12, stores, data=bytes(32), gas=200_000),
    ]


def _created(sender: str, nonce: int) -> bytes:
    return keccak(rlp.encode([bytes.fromhex(sender[2:]), nonce]))[12:]


def played(w3: Web3, raws: list[bytes]) -> list[dict[str, Any]]:
    """The raw receipts of ``raws``, sent one by one."""
    receipts = []
    for raw in raws:
        tx_hash = w3.eth.send_raw_transaction(raw)
        w3.eth.wait_for_transaction_receipt(tx_hash, timeout=20, poll_latency=0.01)
        answer = w3.provider.make_request(RPCEndpoint("eth_getTransactionReceipt"), ["0x" + tx_hash.hex()])
        receipts.append(answer["result"])
    return receipts


def test_gas_receipts_logs_and_proofs_agree_with_anvil(anvil: Web3, w3: Web3, node: Node) -> None:
    raws = script()
    ours, theirs = played(w3, raws), played(anvil, raws)
    for position, (our, their) in enumerate(zip(ours, theirs, strict=True)):
        assert {name: our[name] for name in SAME_IN_RECEIPTS} == {name: their[name] for name in SAME_IN_RECEIPTS}, (
            position
        )
        assert [[log[name] for name in SAME_IN_LOGS] for log in our["logs"]] == [
            [log[name] for name in SAME_IN_LOGS] for log in their["logs"]
        ]
    assert [int(receipt["status"], 16) for receipt in ours].count(0) == 2
    assert set(theirs[0]) <= set(ours[0]) | {"blobGasPrice", "blobGasUsed", "blockTimestamp", "authorizationList"}


def test_storage_roots_and_proofs_agree_with_anvil(anvil: Web3, w3: Web3, node: Node) -> None:
    # Up to where a slot is cleared: anvil 1.7.1 keeps a leaf of value 0 for it, which the protocol has removed.
    raws = script()[:6]
    ours, _ = played(w3, raws), played(anvil, raws)
    _same_storage(anvil, w3, node, ours[0]["contractAddress"])


def test_a_cleared_slot_leaves_no_leaf(w3: Web3) -> None:
    token = played(w3, script()[:3])[0]["contractAddress"]

    def storage_root() -> Any:
        return w3.provider.make_request(RPCEndpoint("eth_getProof"), [token, [], "latest"])["result"]["storageHash"]

    before, seen = storage_root(), []
    for nonce, allowance in ((3, 7), (4, 0)):
        played(w3, [sign(OPERATOR, nonce, token, data=calldata("approve(address,uint256)", TO, allowance), gas=99_000)])
        seen.append(storage_root())
    assert seen[0] != before == seen[1]


def _same_storage(anvil: Web3, w3: Web3, node: Node, token: str) -> None:
    """The account's nonce, code and storage root are equal, and anvil's proof of a slot verifies like ours."""
    asked = [token, [f"0x{slot:064x}" for slot in range(4)], "latest"]
    our, their = (chain.provider.make_request(RPCEndpoint("eth_getProof"), asked)["result"] for chain in (w3, anvil))
    for name in ("nonce", "balance", "codeHash", "storageHash"):
        assert our[name] == their[name], name
    assert [slot["value"] for slot in our["storageProof"]] == [slot["value"] for slot in their["storageProof"]]
    roots = (node.head.state_root, bytes(anvil.eth.get_block("latest")["stateRoot"]))
    for root, proof in zip(roots, (our, their), strict=True):
        slot = proof["storageProof"][0]
        assert check_slot(root, proof | {"storageProof": [slot]}) == int(slot["value"], 16)


def test_estimates_suffice_on_anvil(anvil: Web3, w3: Web3, node: Node) -> None:
    raws = script()[:3]
    played(w3, raws)
    played(anvil, raws)
    token = to_checksum_address(_created(OPERATOR.address, 0))
    data = calldata("transfer(address,uint256)", ATTACKER.address, 1)
    call: Any = {"from": OPERATOR.address, "to": token, "data": data}
    least = w3.eth.estimate_gas(call)
    assert abs(least - anvil.eth.estimate_gas(call)) <= least // 50
    for chain in (w3, anvil):
        (receipt,) = played(chain, [sign(OPERATOR, 3, token, data=data, gas=least)])
        assert receipt["status"] == "0x1"


@pytest.mark.parametrize("case", ["nonce too low", "insufficient funds", "already known or imported"])
def test_refusals_have_the_codes_of_anvil(anvil: Web3, w3: Web3, case: str) -> None:
    raw = {
        "nonce too low": sign(OPERATOR, 0, TO, value=9),
        "insufficient funds": sign(OPERATOR, 1, TO, value=10**30),
        "already known or imported": sign(OPERATOR, 5, TO),
    }[case]
    codes = []
    for chain in (w3, anvil):
        played(chain, [sign(OPERATOR, 0, TO)])
        chain.eth.send_raw_transaction(sign(OPERATOR, 5, TO))
        answer = chain.provider.make_request(RPCEndpoint("eth_sendRawTransaction"), ["0x" + raw.hex()])
        codes.append(answer["error"]["code"])
    assert codes[0] == -32000 and codes[1] in (-32000, -32003)


def test_viem_deploys_reads_watches_and_decodes_reverts(node: Node) -> None:
    assert NODE_JS.exists() and (ROOT / "node_modules" / "viem").exists(), "viem is not installed; run: make setup"
    artefact = json.dumps({name: dollar()[name] for name in ("abi", "bytecode")})
    with serve(node) as url:
        command = [str(NODE_JS), str(Path(__file__).with_name("viem_client.mjs"))]
        arguments = [url, str(CHAIN_ID), "0x" + OPERATOR.key.hex(), TO, artefact]
        done = subprocess.run(command + arguments, capture_output=True, text=True, cwd=ROOT, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    found = json.loads(done.stdout)
    genesis = node.archive.header(0)
    assert genesis and found.pop("genesis") == "0x" + genesis.hash.hex()
    assert found.pop("reverted") not in ("", "no reason")
    assert found == {
        "raw": "success",
        "balance": "30",
        "past": "0",
        "watched": ["100", "30"],
        "logs": ["30"],
        "full": OPERATOR.address.lower(),
        "fees": "bigint",
        "proof": True,
    }

"""The JSON-RPC: forms, errors and limits, asked as a wallet asks."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
import rlp
from chain_kit import ATTACKER, ETHER, GENESIS, INVESTOR, OPERATOR, calldata, deploy_dollar, dollar, sign
from eth_utils.crypto import keccak
from trie.hexary import HexaryTrie
from web3 import Web3
from web3.exceptions import ContractLogicError

from penstock.chain.calls import TOLERANCE
from penstock.chain.dispatch import BATCH_MAX, Dispatch
from penstock.chain.header import EMPTY_ROOT
from penstock.chain.methods import Methods
from penstock.chain.node import Node
from penstock.chain.proof import check_slot
from penstock.chain.rpc import BODY_BYTES_MAX, mine_every, serve
from penstock.errors import Unavailable, Unverified

TO = INVESTOR.address


@pytest.fixture
def dispatch(node: Node) -> Dispatch:
    return Dispatch(Methods(node, may_mine=True))


@pytest.fixture
def ask(dispatch: Dispatch) -> Any:
    """``ask(method, *params)``: the result, or the error object."""

    def asked(method: str, *params: Any) -> Any:
        answer = dispatch.answer({"jsonrpc": "2.0", "id": 7, "method": method, "params": list(params)})
        assert answer["id"] == 7
        return answer["result"] if "result" in answer else answer["error"]

    return asked


@pytest.fixture
def token(node: Node) -> str:
    """The token, with 1000 units minted to `operator` (blocks 1 and 2)."""
    mined = node.archive.tx(node.send(deploy_dollar(OPERATOR, 0)))
    assert mined and mined.contract
    node.send(
        sign(
            OPERATOR,
            1,
            mined.contract.hex(),
            data=calldata("mint(address,uint256)", OPERATOR.address, 1_000),
            gas=200_000,
        )
    )
    return Web3.to_checksum_address(mined.contract)


def transfer(node: Node, token: str, amount: int) -> str:
    """`operator` sends ``amount`` tokens to `investor`; the hash."""
    nonce = node.view.nonce(bytes.fromhex(OPERATOR.address[2:]))
    raw = sign(OPERATOR, nonce, token, data=calldata("transfer(address,uint256)", TO, amount), gas=200_000)
    return "0x" + node.send(raw).hex()


# the allow-list


@pytest.mark.parametrize(
    "method", ["node", "__init__", "_send", "table", "eth_sendTransaction", "debug_traceCall", "evm_mine"]
)
def test_nothing_outside_the_table_can_be_called(node: Node, method: str) -> None:
    answer = Dispatch(Methods(node)).answer({"jsonrpc": "2.0", "id": 1, "method": method, "params": []})
    assert answer["error"]["code"] == -32601


def test_evm_mine_only_where_enabled(ask: Any, node: Node) -> None:
    assert ask("evm_mine") == "0x0" and node.head.number == 1


# plain answers


def test_constants(ask: Any, node: Node) -> None:
    assert ask("eth_chainId") == hex(node.chain_id) and ask("net_version") == str(node.chain_id)
    assert (
        ask("eth_syncing") is False and ask("eth_accounts") == [] and ask("web3_clientVersion").startswith("penstock/")
    )
    assert ask("web3_sha3", "0x") == "0x" + keccak(b"").hex()


def test_blocks_by_tag_number_and_hash_are_the_same(ask: Any, node: Node) -> None:
    tx_hash = "0x" + node.send(sign(OPERATOR, 0, TO)).hex()
    latest = ask("eth_getBlockByNumber", "latest", False)
    assert latest["number"] == "0x1" and latest["transactions"] == [tx_hash]
    for tag in ("pending", "safe", "finalized", "0x1"):
        assert ask("eth_getBlockByNumber", tag, False) == latest
    assert ask("eth_getBlockByHash", latest["hash"], False) == latest
    assert ask("eth_getBlockByNumber", "earliest", False)["number"] == "0x0"
    assert ask("eth_getBlockByNumber", "0x9", False) is None
    assert ask("eth_getBlockByHash", "0x" + "00" * 32, True) is None
    full = ask("eth_getBlockByNumber", "0x1", True)["transactions"]
    assert full == [ask("eth_getTransactionByHash", tx_hash)]
    assert ask("eth_getBlockTransactionCountByNumber", "0x1") == "0x1"
    assert int(latest["size"], 16) > 500


def test_receipts_add_up(ask: Any, node: Node, token: str) -> None:
    nonce = 2
    raws = [
        sign(OPERATOR, nonce + n, token, data=calldata("transfer(address,uint256)", TO, 1), gas=100_000)
        for n in range(3)
    ]
    node.send_many(raws)
    receipts = ask("eth_getBlockReceipts", "latest")
    used = [int(receipt["gasUsed"], 16) for receipt in receipts]
    assert [int(receipt["cumulativeGasUsed"], 16) for receipt in receipts] == [used[0], sum(used[:2]), sum(used)]
    assert [log["logIndex"] for receipt in receipts for log in receipt["logs"]] == ["0x0", "0x1", "0x2"]
    assert [receipt["transactionIndex"] for receipt in receipts] == ["0x0", "0x1", "0x2"]
    block = ask("eth_getBlockByNumber", "latest", False)
    assert (
        int(block["gasUsed"], 16) == sum(used) and block["logsBloom"] == receipts[0]["logsBloom"] != "0x" + "00" * 256
    )
    price = int(block["baseFeePerGas"], 16) + 1
    assert all(int(receipt["effectiveGasPrice"], 16) == price for receipt in receipts)
    assert receipts[1] == ask("eth_getTransactionReceipt", receipts[1]["transactionHash"])
    assert receipts[0]["contractAddress"] is None and receipts[0]["to"] == token.lower()
    assert ask("eth_getTransactionReceipt", "0x" + "11" * 32) is None and ask("eth_getBlockReceipts", "0x99") is None


def test_roots_of_a_block_follow_from_its_receipts_and_transactions(ask: Any, node: Node, token: str) -> None:
    transfer(node, token, 5)
    header = node.head
    (mined,) = node.archive.txs(header.number)
    (log,) = ask("eth_getTransactionReceipt", "0x" + mined.tx.hash.hex())["logs"]
    topics = [bytes.fromhex(topic[2:]) for topic in log["topics"]]
    receipt = rlp.encode(
        [1, mined.gas_used, mined.bloom, [[bytes.fromhex(token[2:]), topics, bytes.fromhex(log["data"][2:])]]]
    )
    for root, leaf in ((header.receipt_root, b"\x02" + receipt), (header.tx_root, mined.tx.raw)):
        tree = HexaryTrie({}, EMPTY_ROOT)
        tree[rlp.encode(0)] = leaf
        assert tree.root_hash == root


def test_waiting_transactions_have_no_block(ask: Any, node: Node) -> None:
    tx_hash = "0x" + node.send(sign(OPERATOR, 1, TO)).hex()
    form = ask("eth_getTransactionByHash", tx_hash)
    assert form["blockHash"] is None and form["blockNumber"] is None and form["nonce"] == "0x1"
    assert ask("eth_getTransactionReceipt", tx_hash) is None
    assert ask("eth_getTransactionCount", OPERATOR.address, "pending") == "0x0"
    node.send(sign(OPERATOR, 0, TO))
    assert ask("eth_getTransactionCount", OPERATOR.address, "latest") == "0x2"
    assert ask("eth_getTransactionCount", OPERATOR.address, "0x0") == "0x0"


def test_state_by_block_number_and_by_hash(ask: Any, node: Node, token: str) -> None:
    first = ask("eth_getBlockByNumber", "0x0", False)["hash"]
    assert ask("eth_getCode", token, {"blockHash": first}) == "0x"
    assert (
        ask("eth_getCode", token, {"blockNumber": "0x1"}) == dollar()["runtime"] or len(ask("eth_getCode", token)) > 100
    )
    assert ask("eth_getBalance", OPERATOR.address, "earliest") == hex(1_000 * ETHER)
    slots = [int(ask("eth_getStorageAt", token, hex(slot), "latest"), 16) for slot in range(8)]
    assert 1_000 in slots  # totalSupply
    assert ask("eth_getBalance", TO, "0x77")["message"] == "header not found"


# calls


def test_call_returns_and_reverts_with_its_reason(ask: Any, token: str) -> None:
    good = {"to": token, "data": "0x" + calldata("balanceOf(address)", OPERATOR.address).hex()}
    assert int(ask("eth_call", good, "latest"), 16) == 1_000
    bad = {"to": token, "from": ATTACKER.address, "input": "0x" + calldata("mint(address,uint256)", TO, 1).hex()}
    error = ask("eth_call", bad, "latest")
    assert (
        error["code"] == 3
        and error["message"].startswith("execution reverted: ")
        and error["data"].startswith("0x08c379a0")
    )
    assert ask("eth_estimateGas", bad) == error


def test_web3_raises_with_the_revert_reason(w3: Web3, token: str) -> None:
    contract = w3.eth.contract(token, abi=dollar()["abi"])  # type: ignore[call-overload]
    assert contract.functions.balanceOf(OPERATOR.address).call() == 1_000
    with pytest.raises(ContractLogicError) as refused:
        contract.functions.transfer(TO, 10**9).call({"from": ATTACKER.address})
    assert refused.value.data


def test_a_call_costs_nothing_and_leaves_no_trace(ask: Any, node: Node, token: str) -> None:
    before = node.head
    call = {
        "to": token,
        "from": "0x" + "77" * 20,
        "data": "0x" + calldata("balanceOf(address)", TO).hex(),
        "gasPrice": "0x99",
    }
    assert int(ask("eth_call", call, "pending"), 16) == 0
    assert node.head == before
    poor = ask("eth_call", {"from": "0x" + "77" * 20, "to": TO, "value": "0x1"})
    assert poor["message"].startswith("insufficient funds")


def test_call_sees_the_time_of_its_block(ask: Any, node: Node, clock: Any) -> None:
    # TIMESTAMP PUSH0 MSTORE PUSH1 32 PUSH0 RETURN, as creation code: the call returns the time.
    call = {"data": "0x425f5260205ff3"}
    clock.at_s += 50
    assert int(ask("eth_call", call, "latest"), 16) == node.head.at_s
    assert int(ask("eth_call", call, "pending"), 16) == clock.at_s


def test_estimate_is_the_least_gas_that_runs(ask: Any, node: Node, token: str) -> None:
    call = {"to": token, "from": OPERATOR.address, "data": "0x" + calldata("transfer(address,uint256)", TO, 1).hex()}
    least = int(ask("eth_estimateGas", call), 16)
    data = calldata("transfer(address,uint256)", TO, 1)
    too_low = node.archive.tx(node.send(sign(OPERATOR, 2, token, data=data, gas=least - 1)))
    enough = node.archive.tx(node.send(sign(OPERATOR, 3, token, data=data, gas=least)))
    assert too_low and enough and (too_low.status, enough.status) == (0, 1)


def test_estimate_honours_the_calldata_floor_and_plain_transfers(ask: Any) -> None:
    assert ask("eth_estimateGas", {"to": TO, "from": OPERATOR.address, "value": "0x1"}) == hex(21_000)
    assert ask("eth_estimateGas", {"to": TO, "data": "0x" + "01" * 1_000}) == hex(61_000)


def test_estimate_of_a_call_that_asks_for_more_than_it_uses(ask: Any, node: Node) -> None:
    # PUSH3 100000 GAS LT PUSH1 9 JUMPI STOP / JUMPDEST 0 0 REVERT: it asks for far more gas than it uses.
    runtime = bytes.fromhex("620186a05a10600957005b5f5ffd")
    init = bytes.fromhex("600e600b5f39600e5ff300") + runtime
    mined = node.archive.tx(node.send(sign(OPERATOR, 0, data=init, gas=200_000)))
    assert mined and mined.status and mined.contract
    target = "0x" + mined.contract.hex()
    least = int(ask("eth_estimateGas", {"to": target, "from": OPERATOR.address}), 16)
    assert least > 100_000
    too_low = least - least // TOLERANCE - 1  # the estimate lies above the least by less than that
    runs = [
        node.archive.tx(node.send(sign(OPERATOR, 1 + n, target, gas=gas))) for n, gas in enumerate((too_low, least))
    ]
    assert [run.status for run in runs if run] == [0, 1]


# fees


def test_fees(ask: Any, node: Node) -> None:
    node.send_many([sign(OPERATOR, 0, TO), sign(ATTACKER, 0, TO, maxPriorityFeePerGas=9)])
    next_fee = int(ask("eth_feeHistory", "0x1", "latest", [])["baseFeePerGas"][1], 16)
    assert ask("eth_gasPrice") == hex(next_fee + 1) and ask("eth_maxPriorityFeePerGas") == "0x1"
    history = ask("eth_feeHistory", "0x5", "latest", [0, 50, 51, 100])
    assert history["oldestBlock"] == "0x0" and len(history["baseFeePerGas"]) == 3
    assert history["reward"] == [["0x0"] * 4, ["0x1", "0x1", "0x9", "0x9"]]
    assert history["gasUsedRatio"] == [0.0, 42_000 / 30_000_000]
    assert ask("eth_feeHistory", 1, "latest", [50, 10])["code"] == -32602


# logs


def test_logs_by_address_topics_range_and_block(ask: Any, node: Node, token: str) -> None:
    hashes = [transfer(node, token, n) for n in (1, 2, 3)]
    moved, mint_from = "0x" + keccak(text="Transfer(address,address,uint256)").hex(), "0x" + "00" * 32
    sender, receiver = ("0x" + "00" * 12 + a[2:].lower() for a in (OPERATOR.address, TO))
    everything = ask("eth_getLogs", {"fromBlock": "0x0", "address": token, "topics": [moved]})
    assert [int(log["data"], 16) for log in everything] == [1_000, 1, 2, 3]
    assert [log["transactionHash"] for log in everything[1:]] == hashes

    def amounts(**query: Any) -> list[int]:
        return [int(log["data"], 16) for log in ask("eth_getLogs", {"fromBlock": "0x0", "address": token, **query})]

    assert amounts(topics=[None, sender]) == [1, 2, 3]
    assert amounts(topics=[moved, [sender, mint_from]]) == [1_000, 1, 2, 3]
    assert amounts(topics=[moved, None, receiver]) == [1, 2, 3]
    assert amounts(topics=[[moved], sender], fromBlock="0x4", toBlock="0x4") == [2]
    assert amounts(topics=[moved, sender, None, moved]) == []
    assert amounts(address=[TO, ATTACKER.address]) == []
    block_hash = ask("eth_getBlockByNumber", "0x3", False)["hash"]
    assert [int(log["data"], 16) for log in ask("eth_getLogs", {"blockHash": block_hash})] == [1]
    assert ask("eth_getLogs", {"fromBlock": "0x3", "toBlock": "0x2"})["code"] == -32602
    assert ask("eth_getLogs", {"blockHash": block_hash, "fromBlock": "0x0"})["code"] == -32602
    assert ask("eth_getLogs", {"blockHash": "0x" + "00" * 32})["code"] == -32000


def test_filters_tell_what_is_new_once(ask: Any, node: Node, token: str) -> None:
    logs = ask("eth_newFilter", {"address": token})
    blocks = ask("eth_newBlockFilter")
    transfer(node, token, 1)
    transfer(node, token, 2)
    assert [int(log["data"], 16) for log in ask("eth_getFilterChanges", logs)] == [1, 2]
    assert len(ask("eth_getFilterChanges", blocks)) == 2
    assert ask("eth_getFilterChanges", logs) == [] == ask("eth_getFilterChanges", blocks)
    assert [int(log["data"], 16) for log in ask("eth_getFilterLogs", logs)] == [2]  # its range is latest to latest
    assert ask("eth_uninstallFilter", logs) is True and ask("eth_uninstallFilter", logs) is False
    assert ask("eth_getFilterChanges", logs)["message"] == "filter not found"


# proofs


def test_proofs_verify_against_the_state_root_and_fail_when_bent(ask: Any, node: Node, token: str) -> None:
    root = node.head.state_root
    supply = next(s for s in range(8) if int(ask("eth_getStorageAt", token, hex(s), "latest"), 16) == 1_000)
    proof = ask("eth_getProof", token, [hex(supply)], "latest")
    assert check_slot(root, proof) == 1_000
    nodes = [rlp.decode(bytes.fromhex(item[2:])) for item in proof["accountProof"]]
    account = rlp.decode(HexaryTrie.get_from_proof(root, keccak(bytes.fromhex(token[2:])), nodes))  # type: ignore[no-untyped-call]
    assert account[2].hex() == proof["storageHash"][2:] and account[3] == keccak(
        node.view.code(bytes.fromhex(token[2:]))
    )
    with pytest.raises(Unverified):
        check_slot(bytes(32), proof)
    bent = proof["storageProof"][0]["proof"][-1]
    proof["storageProof"][0]["proof"][-1] = bent[:-1] + ("0" if bent[-1] != "0" else "1")
    with pytest.raises(Unverified):
        check_slot(root, proof)


def test_absence_is_proved_too(ask: Any, node: Node, token: str) -> None:
    assert check_slot(node.head.state_root, ask("eth_getProof", token, ["0x1234567"], "latest")) == 0
    nobody = ask("eth_getProof", "0x" + "99" * 20, ["0x1"], "latest")
    assert nobody["balance"] == "0x0" and check_slot(node.head.state_root, nobody) == 0
    assert ask("eth_getProof", token, [], "0x0")["nonce"] == "0x0"


# errors


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b"[" * 100_000, -32700),
        (b"[]", -32600),
        (b"3", -32600),
        (b'{"id":1}', -32600),
        (b'{"id":1,"method":5}', -32600),
        (b'{"id":1,"method":"nothing"}', -32601),
        (b'{"id":1,"method":"eth_getBalance","params":["0x12","latest"]}', -32602),
        (b'{"id":1,"method":"eth_getBalance","params":{"a":1}}', -32602),
        (b'{"id":1,"method":"eth_getBalance","params":[]}', -32602),
        (b'{"id":1,"method":"eth_chainId","params":[1]}', -32602),
        (b'{"id":1,"method":"eth_getBlockByNumber","params":["0xzz",true]}', -32602),
        (b'{"id":1,"method":"eth_getBlockByNumber","params":["0x1","yes"]}', -32602),
        (b'{"id":1,"method":"eth_sendRawTransaction","params":["0x01"]}', -32000),
        (b'{"id":1,"method":"eth_getFilterChanges","params":["0x5"]}', -32000),
    ],
)
def test_error_codes(dispatch: Dispatch, body: bytes, code: int) -> None:
    answer = json.loads(dispatch.answer_text(body))
    assert answer["error"]["code"] == code and answer["jsonrpc"] == "2.0"


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (lambda: sign(OPERATOR, 0, TO, value=3), "nonce too low"),
        (lambda: sign(OPERATOR, 1, TO, value=10**30), "insufficient funds for gas * price + value"),
        (lambda: sign(OPERATOR, 2, TO), "already known"),
        (lambda: sign(OPERATOR, 2, TO, value=1), "replacement transaction underpriced"),
    ],
)
def test_errors_are_worded_as_wallets_expect(ask: Any, node: Node, raw: Any, message: str) -> None:
    node.send_many([sign(OPERATOR, 0, TO), sign(OPERATOR, 2, TO)])
    error = ask("eth_sendRawTransaction", "0x" + raw().hex())
    assert error["code"] == -32000 and error["message"].startswith(message)


def test_a_fault_inside_is_an_internal_error_and_tells_nothing(
    dispatch: Dispatch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Node, "view", property(lambda self: 1 / 0))
    answer = dispatch.answer(
        {"id": 1, "method": "eth_sendRawTransaction", "params": ["0x" + sign(OPERATOR, 0, TO).hex()]}
    )
    assert answer["error"] == {"code": -32603, "message": "internal error", "data": {}}


def test_batches_keep_order_drop_notifications_and_share_a_block(dispatch: Dispatch, node: Node) -> None:
    mixed = [{"id": 1, "method": "eth_chainId"}, {"method": "eth_blockNumber"}, 5, {"id": "x", "method": "none"}]
    answers = dispatch.answer(mixed)
    assert [answer["id"] for answer in answers] == [1, None, "x"]
    assert dispatch.answer([{"method": "eth_chainId"}]) is None
    sends = [
        {"id": n, "method": "eth_sendRawTransaction", "params": ["0x" + sign(OPERATOR, n, TO).hex()]} for n in range(4)
    ]
    sends.append({"id": 9, "method": "eth_sendRawTransaction", "params": ["0x05"]})
    answers = dispatch.answer(sends)
    assert ["result" in answer for answer in answers] == [True] * 4 + [False] and node.head.number == 1
    assert dispatch.answer([{"id": 1, "method": "eth_chainId"}] * (BATCH_MAX + 1))["error"]["code"] == -32600


# HTTP


@pytest.fixture
def url(node: Node) -> Iterator[str]:
    with serve(node, origins=frozenset({"http://console.test"})) as address:
        yield address


def post(url: str, body: bytes = b'{"id":1,"method":"eth_chainId"}', /, **headers: Any) -> tuple[int, bytes, Any]:
    """The status, body and headers of one request over HTTP; header names with _ for -."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=10)
    sent = {"Content-Type": "application/json"} | {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(sent.pop("method", "POST"), "/", body, sent)
    answer = connection.getresponse()
    found = answer.status, answer.read(), answer.headers
    connection.close()
    return found


def test_http_answers_and_closes(node: Node) -> None:
    with serve(node) as url:
        status, body, headers = post(url)
        assert status == 200 and json.loads(body)["result"] == hex(node.chain_id)
        assert "Access-Control-Allow-Origin" not in headers
    with pytest.raises(ConnectionError):
        post(url)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "rebound.example:8545"}, 403),
        ({"Host": "127.0.0.1.rebound.example"}, 403),
        ({"Host": "localhost:1"}, 200),
        ({"Host": "[::1]:8545"}, 200),
        ({"Host": "[bad"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://console.test"}, 200),
        ({"Content_Type": "text/plain"}, 415),
        ({"Content_Length": "no"}, 411),
        ({"Content_Length": str(BODY_BYTES_MAX + 1)}, 413),
    ],
)
def test_http_refuses_what_is_not_local_json(url: str, headers: dict[str, str], status: int) -> None:
    found, body, answered = post(url, **headers)
    assert found == status, body
    assert answered.get("Access-Control-Allow-Origin") == ("http://console.test" if "console" in str(headers) else None)


def test_preflight_only_for_allowed_origins(url: str) -> None:
    assert post(url, b"", method="OPTIONS", Origin="http://console.test")[0] == 204
    assert post(url, b"", method="OPTIONS", Origin="http://evil.example")[0] == 403
    assert post(url, b'{"method":"eth_chainId"}')[0] == 204  # a notification


def test_a_taken_port_is_said(url: str, node: Node) -> None:
    with pytest.raises(Unavailable), serve(node, int(url.rsplit(":", 1)[1])):
        pass


def test_web3_over_http_agrees_with_in_process(url: str, w3: Web3, token: str, node: Node) -> None:
    remote = Web3(Web3.HTTPProvider(url))
    tx_hash = remote.eth.send_raw_transaction(
        sign(OPERATOR, 2, token, data=calldata("transfer(address,uint256)", TO, 4), gas=99_000)
    )
    for reader in ("get_transaction_receipt", "get_transaction"):
        assert getattr(remote.eth, reader)(tx_hash) == getattr(w3.eth, reader)(tx_hash)
    assert remote.eth.get_block("latest", True) == w3.eth.get_block("latest", True)
    with remote.batch_requests() as batch:
        batch.add(remote.eth.get_balance(OPERATOR.address))
        batch.add(remote.eth.get_block(0))
        assert batch.execute() == [w3.eth.get_balance(OPERATOR.address), w3.eth.get_block(0)]


def test_requests_from_many_threads_are_serialised(url: str, node: Node) -> None:
    accounts = (OPERATOR, INVESTOR, ATTACKER)

    def send_ten(account: Any) -> None:
        remote = Web3(Web3.HTTPProvider(url))
        for nonce in range(10):
            remote.eth.send_raw_transaction(sign(account, nonce, TO, value=1))
            assert remote.eth.get_block("latest")["number"] > 0

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(send_ten, accounts))
    assert node.head.number == 30


def test_interval_mining_builds_blocks_of_what_waits() -> None:
    with Node(GENESIS, automine=False) as node:
        tx_hash = node.send(sign(OPERATOR, 0, TO))
        with mine_every(node, 0.01):
            for _ in range(500):
                with node.lock:
                    if node.archive.tx(tx_hash):
                        break
                time.sleep(0.01)
        assert node.archive.tx(tx_hash)

"""The JSON-RPC methods this node answers: one table, and nothing outside it can be called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from eth_utils.crypto import keccak

from penstock.chain import rpc_params as p
from penstock.chain.archive import MinedLog, MinedTx
from penstock.chain.calls import answer, enough_gas
from penstock.chain.fees import TIP_WEI, fee_history, gas_price
from penstock.chain.filters import Filters
from penstock.chain.header import Header
from penstock.chain.json_forms import Json, block_form, log_form, receipt_form, text, tx_form
from penstock.chain.node import Node
from penstock.chain.proof import account_proof
from penstock.errors import NotFound

CLIENT_VERSION: Final = "penstock/0.1"


class Methods:
    """The methods over one node. ``may_mine`` adds ``evm_mine``."""

    def __init__(self, node: Node, *, may_mine: bool = False) -> None:
        self.node = node
        self._filters = Filters()
        own: dict[str, Callable[..., Json]] = {name: getattr(self, f"_{act}") for name, act in _TABLE.items()}
        fixed: dict[str, Callable[..., Json]] = {name: self._always(value) for name, value in _FIXED.items()}
        self.table: Mapping[str, Callable[..., Json]] = own | fixed | ({"evm_mine": self._mine} if may_mine else {})

    @staticmethod
    def _always(value: Json) -> Callable[[], Json]:
        return lambda: value

    # the chain

    def _net_version(self) -> Json:
        return str(self.node.chain_id)

    def _chain_id(self) -> Json:
        return hex(self.node.chain_id)

    def _block_number(self) -> Json:
        return hex(self.node.head.number)

    def _mine(self, *_: object) -> Json:
        self.node.mine()
        return "0x0"

    # blocks

    def _find(self, reference: int | str | bytes) -> Header | None:
        node = self.node
        if isinstance(reference, bytes):
            return node.archive.header_of(reference)
        if isinstance(reference, str):
            return node.archive.header(0) if reference == "earliest" else node.head
        return node.head if reference == node.head.number else node.archive.header(reference)

    def _at(self, reference: object) -> Header:
        header = self._find(p.block(reference))
        if header is None:
            raise NotFound("rpc.block", "header not found")
        return header

    def _block(self, header: Header | None, full: bool) -> Json:
        if header is None:
            return None
        archive = self.node.archive
        if full:
            inside: list[Json] = [tx_form(m.tx, m, header.hash) for m in archive.txs(header.number)]
        else:
            inside = [text(tx_hash) for tx_hash in archive.tx_hashes(header.number)]
        return block_form(header, archive.size(header.number), inside)

    def _block_by_number(self, reference: object, full: object = False) -> Json:
        return self._block(self._find(p.block(reference)), p.flag(full))

    def _block_by_hash(self, block_hash: object, full: object = False) -> Json:
        return self._block(self._find(p.word(block_hash)), p.flag(full))

    def _count_by_number(self, reference: object) -> Json:
        return hex(len(self.node.archive.tx_hashes(self._at(reference).number)))

    def _block_receipts(self, reference: object) -> Json:
        header = self._find(p.block(reference))
        if header is None:
            return None
        logs = self.node.archive.logs(header.number, header.number)
        mined = self.node.archive.txs(header.number)
        return [receipt_form(m, header.hash, [log for log in logs if log.tx_position == m.position]) for m in mined]

    # transactions

    def _tx(self, tx_hash: object) -> Json:
        wanted = p.word(tx_hash)
        mined = self.node.archive.tx(wanted)
        if mined is not None:
            return tx_form(mined.tx, mined, self._hash(mined))
        waiting = self.node.pool.get(wanted)
        return None if waiting is None else tx_form(waiting, None, None)

    def _hash(self, mined: MinedTx) -> bytes:
        header = self._find(mined.number)
        return b"" if header is None else header.hash

    def _receipt(self, tx_hash: object) -> Json:
        mined = self.node.archive.tx(p.word(tx_hash))
        if mined is None:
            return None
        logs: list[MinedLog] = []
        if any(mined.bloom):
            logs = self.node.archive.logs(mined.number, mined.number, tx_position=mined.position)
        return receipt_form(mined, self._hash(mined), logs)

    def _send(self, raw: object) -> Json:
        return text(self.node.send(p.data(raw)))

    # state

    def _tx_count(self, address: object, reference: object = None) -> Json:
        who, at = p.address(address), p.block(reference)
        nonce, _ = self.node.account_at(who, self._at(reference).state_root)
        return hex(self.node.pool.next_nonce(who, nonce) if at == "pending" else nonce)

    def _balance(self, address: object, reference: object = None) -> Json:
        return hex(self.node.state(self._at(reference)).balance(p.address(address)))

    def _code(self, address: object, reference: object = None) -> Json:
        return text(self.node.state(self._at(reference)).code(p.address(address)))

    def _storage(self, address: object, slot: object, reference: object = None) -> Json:
        value = self.node.state(self._at(reference)).storage(p.address(address), p.slot(slot))
        return text(value.to_bytes(32, "big"))

    def _proof(self, address: object, slots: object, reference: object = None) -> Json:
        if not isinstance(slots, list) or len(slots) > 1_000:
            raise p.bad("invalid argument: the storage keys are not a list of up to 1000")
        root = self._at(reference).state_root
        return account_proof(self.node.nodes, root, p.address(address), [p.slot(slot) for slot in slots])

    def _call(self, call: object, reference: object = None) -> Json:
        header = self._at(reference)
        if reference == "pending":
            header = self.node.next_header()
        return text(answer(self.node, p.call(call), header))

    def _estimate(self, call: object, reference: object = None) -> Json:
        return hex(enough_gas(self.node, p.call(call), self._at(reference)))

    # fees

    def _gas_price(self) -> Json:
        return hex(gas_price(self.node))

    def _fee_history(self, count: object, newest: object, percentiles: object = None) -> Json:
        shares = [] if percentiles is None else percentiles
        if not isinstance(shares, list) or not all(isinstance(x, int | float) for x in shares) or len(shares) > 100:
            raise p.bad("invalid argument: reward percentiles are up to 100 numbers")
        number = count if type(count) is int else p.quantity(count)
        return fee_history(self.node, number, self._at(newest), [float(x) for x in shares])

    # logs

    def _matching(self, params: p.LogParams, first: int, last: int) -> list[Json]:
        found = self.node.archive.logs(first, last, params.addresses, params.topics)
        return [log_form(log) for log in found]

    def _range(self, params: p.LogParams) -> tuple[int, int]:
        if params.block_hash is not None:
            header = self._find(params.block_hash)
            if header is None:
                raise NotFound("rpc.block", "unknown block")
            return header.number, header.number
        first, last = self._number(params.first), self._number(params.last)
        if first > last:
            raise p.bad("invalid block range params")
        return first, last

    def _number(self, reference: int | str | bytes) -> int:
        if isinstance(reference, int):
            return reference
        header = self._find(reference)
        return self.node.head.number if header is None else header.number

    def _logs(self, params: object) -> Json:
        wanted = p.logs(params)
        return self._matching(wanted, *self._range(wanted))

    def _new_filter(self, params: object) -> Json:
        return hex(self._filters.add(self.node.head.number, p.logs(params)))

    def _new_block_filter(self) -> Json:
        return hex(self._filters.add(self.node.head.number, None))

    def _uninstall(self, filter_id: object) -> Json:
        return self._filters.remove(p.quantity(filter_id))

    def _filter_logs(self, filter_id: object) -> Json:
        wanted = self._filters.get(p.quantity(filter_id)).logs
        if wanted is None:
            raise NotFound("rpc.filter", "filter not found")
        return self._matching(wanted, *self._range(wanted))

    def _filter_changes(self, filter_id: object) -> Json:
        standing = self._filters.get(p.quantity(filter_id))
        first, head = standing.seen + 1, self.node.head.number
        standing.seen = head
        if standing.logs is None:
            headers = [self._find(number) for number in range(first, head + 1)]
            return [text(header.hash) for header in headers if header is not None]
        low, high = self._bounds(standing.logs)
        return self._matching(standing.logs, max(first, low), min(head, high)) if first <= head else []

    def _bounds(self, params: p.LogParams) -> tuple[int, int]:
        """The filter's own block numbers; tags bound nothing."""
        low = params.first if isinstance(params.first, int) else 0
        return low, params.last if isinstance(params.last, int) else 2**62

    def _sha3(self, data: object) -> Json:
        return text(keccak(p.data(data)))


_TABLE: Final = {
    "net_version": "net_version",
    "web3_sha3": "sha3",
    "eth_chainId": "chain_id",
    "eth_blockNumber": "block_number",
    "eth_getBlockByNumber": "block_by_number",
    "eth_getBlockByHash": "block_by_hash",
    "eth_getBlockTransactionCountByNumber": "count_by_number",
    "eth_getBlockReceipts": "block_receipts",
    "eth_getTransactionByHash": "tx",
    "eth_getTransactionReceipt": "receipt",
    "eth_sendRawTransaction": "send",
    "eth_getTransactionCount": "tx_count",
    "eth_getBalance": "balance",
    "eth_getCode": "code",
    "eth_getStorageAt": "storage",
    "eth_getProof": "proof",
    "eth_call": "call",
    "eth_estimateGas": "estimate",
    "eth_gasPrice": "gas_price",
    "eth_feeHistory": "fee_history",
    "eth_getLogs": "logs",
    "eth_newFilter": "new_filter",
    "eth_newBlockFilter": "new_block_filter",
    "eth_getFilterChanges": "filter_changes",
    "eth_getFilterLogs": "filter_logs",
    "eth_uninstallFilter": "uninstall",
}
_FIXED: Final[dict[str, Json]] = {
    "web3_clientVersion": CLIENT_VERSION,
    "net_listening": True,
    "eth_syncing": False,
    "eth_accounts": [],
    "eth_maxPriorityFeePerGas": hex(TIP_WEI),
}

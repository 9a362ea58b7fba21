"""The JSON shapes of blocks, transactions, receipts and logs (Ethereum JSON-RPC execution API)."""

from __future__ import annotations

from typing import Any

from penstock.chain.archive import MinedLog, MinedTx
from penstock.chain.header import EMPTY_REQUESTS, EMPTY_ROOT, EMPTY_UNCLES, ZERO_HASH, Header
from penstock.chain.tx import ACCESS_LIST, LEGACY, SET_CODE, Tx

Json = Any


def text(raw: bytes) -> str:
    """Bytes as JSON-RPC data."""
    return "0x" + raw.hex()


def block_form(header: Header, size: int, transactions: list[Json]) -> dict[str, Json]:
    """A block; ``transactions`` are hashes or whole transaction forms."""
    return {
        "number": hex(header.number),
        "hash": text(header.hash),
        "parentHash": text(header.parent_hash),
        "nonce": "0x0000000000000000",
        "sha3Uncles": text(EMPTY_UNCLES),
        "logsBloom": text(header.bloom),
        "transactionsRoot": text(header.tx_root),
        "stateRoot": text(header.state_root),
        "receiptsRoot": text(header.receipt_root),
        "miner": text(header.coinbase),
        "difficulty": "0x0",
        "totalDifficulty": "0x0",
        "extraData": text(header.extra),
        "size": hex(size),
        "gasLimit": hex(header.gas_limit),
        "gasUsed": hex(header.gas_used),
        "timestamp": hex(header.at_s),
        "mixHash": text(ZERO_HASH),
        "baseFeePerGas": hex(header.base_fee),
        "withdrawalsRoot": text(EMPTY_ROOT),
        "withdrawals": [],
        "blobGasUsed": "0x0",
        "excessBlobGas": "0x0",
        "parentBeaconBlockRoot": text(ZERO_HASH),
        "requestsHash": text(EMPTY_REQUESTS),
        "transactions": transactions,
        "uncles": [],
    }


def tx_form(tx: Tx, mined: MinedTx | None, block_hash: bytes | None) -> dict[str, Json]:
    """A transaction, mined or waiting."""
    form: dict[str, Json] = {
        "hash": text(tx.hash),
        "type": hex(tx.type_id),
        "chainId": hex(tx.chain_id),
        "from": text(tx.sender),
        "to": text(tx.to) if tx.to else None,
        "nonce": hex(tx.nonce),
        "gas": hex(tx.gas),
        "value": hex(tx.value),
        "input": text(tx.data),
        "v": hex(tx.v),
        "r": hex(tx.r),
        "s": hex(tx.s),
        "gasPrice": hex(mined.price if mined else tx.max_fee_per_gas),
        "blockHash": text(block_hash) if block_hash else None,
        "blockNumber": hex(mined.number) if mined else None,
        "transactionIndex": hex(mined.position) if mined else None,
    }
    if tx.type_id != LEGACY:
        form["yParity"] = hex(tx.v)
        form["accessList"] = [_access(address, slots) for address, slots in tx.access_list]
    if tx.type_id not in (LEGACY, ACCESS_LIST):
        form["maxFeePerGas"] = hex(tx.max_fee_per_gas)
        form["maxPriorityFeePerGas"] = hex(tx.max_priority_fee_per_gas)
    if tx.type_id == SET_CODE:
        form["authorizationList"] = [_authorization(item) for item in tx.authorization_list]
    return form


def receipt_form(mined: MinedTx, block_hash: bytes, logs: list[MinedLog]) -> dict[str, Json]:
    """A receipt."""
    return {
        "transactionHash": text(mined.tx.hash),
        "transactionIndex": hex(mined.position),
        "blockHash": text(block_hash),
        "blockNumber": hex(mined.number),
        "from": text(mined.tx.sender),
        "to": text(mined.tx.to) if mined.tx.to else None,
        "type": hex(mined.tx.type_id),
        "status": hex(mined.status),
        "gasUsed": hex(mined.gas_used),
        "cumulativeGasUsed": hex(mined.gas_cumulative),
        "effectiveGasPrice": hex(mined.price),
        "contractAddress": text(mined.contract) if mined.contract else None,
        "logsBloom": text(mined.bloom),
        "logs": [log_form(log) for log in logs],
    }


def log_form(log: MinedLog) -> dict[str, Json]:
    """An event."""
    return {
        "address": text(log.address),
        "topics": [text(topic) for topic in log.topics],
        "data": text(log.data),
        "blockNumber": hex(log.number),
        "blockHash": text(log.block_hash),
        "blockTimestamp": hex(log.block_at_s),
        "transactionHash": text(log.tx_hash),
        "transactionIndex": hex(log.tx_position),
        "logIndex": hex(log.position),
        "removed": False,
    }


def _access(address: bytes, slots: tuple[int, ...]) -> dict[str, Json]:
    return {"address": text(address), "storageKeys": [text(slot.to_bytes(32, "big")) for slot in slots]}


def _authorization(item: Any) -> dict[str, Json]:
    return {
        "chainId": hex(item.chain_id),
        "address": text(item.address),
        "nonce": hex(item.nonce),
        "yParity": hex(item.y_parity),
        "r": hex(item.r),
        "s": hex(item.s),
    }

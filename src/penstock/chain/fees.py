"""Fee answers: what a transaction should offer, and what recent blocks took."""

from __future__ import annotations

from typing import Any, Final

from penstock.chain.header import Header, next_base_fee
from penstock.chain.node import Node
from penstock.chain.rpc_params import bad

# Blocks come as transactions do, so nobody needs to outbid anybody; not 0, which some wallets read as "unknown".
TIP_WEI: Final = 1
HISTORY_MAX: Final = 1_024


def gas_price(node: Node) -> int:
    """Base fee of the next block plus the tip [wei]."""
    return next_base_fee(node.head) + TIP_WEI


def fee_history(node: Node, count: int, newest: Header, percentiles: list[float]) -> dict[str, Any]:
    """Base fees, fullness and tips of the ``count`` blocks up to ``newest`` (``eth_feeHistory``)."""
    if any(not 0 <= p <= 100 for p in percentiles) or percentiles != sorted(percentiles):
        raise bad("invalid reward percentile: from 0 to 100 and rising")
    count = max(0, min(count, HISTORY_MAX, newest.number + 1))
    numbers = range(newest.number - count + 1, newest.number + 1)
    headers = [header for number in numbers if (header := node.archive.header(number))]
    fees = [header.base_fee for header in headers] + ([next_base_fee(newest)] if headers else [])
    answer: dict[str, Any] = {
        "oldestBlock": hex(numbers.start),
        "baseFeePerGas": [hex(fee) for fee in fees],
        "gasUsedRatio": [header.gas_used / header.gas_limit for header in headers],
        "baseFeePerBlobGas": ["0x1"] * len(fees),
        "blobGasUsedRatio": [0.0] * len(headers),
    }
    if percentiles:
        answer["reward"] = [[hex(tip) for tip in _tips(node, header, percentiles)] for header in headers]
    return answer


def _tips(node: Node, header: Header, percentiles: list[float]) -> list[int]:
    """Tips at the percentiles of the block's gas, cheapest first; zeros for an empty block."""
    paid = sorted((tx.price - header.base_fee, tx.gas_used) for tx in node.archive.txs(header.number))
    tips, at, reached = [], 0, 0
    for percentile in percentiles:
        while at < len(paid) and reached + paid[at][1] < header.gas_used * percentile / 100:
            reached += paid[at][1]
            at += 1
        tips.append(paid[min(at, len(paid) - 1)][0] if paid else 0)
    return tips

"""Many holders' own transactions, many a block."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from eth_account import Account

from penstock.cli.demo.cast import Holder
from penstock.cli.demo.play import Stagehand
from penstock.errors import PenstockError

GAS_MOST: Final = 200_000
BLOCK_OF: Final = 100


def send_together(hand: Stagehand, label: str, holders: Sequence[Holder], target: bytes, data: bytes) -> None:
    """The same call by each holder, in order. Raises what the node refused first."""
    with hand.bar(label, len(holders)) as step:
        for start in range(0, len(holders), BLOCK_OF):
            batch = holders[start : start + BLOCK_OF]
            for answer in hand.node.send_many([_signed(hand, holder, target, data) for holder in batch]):
                if isinstance(answer, PenstockError):
                    raise answer
            step(len(batch))


def _signed(hand: Stagehand, holder: Holder, target: bytes, data: bytes) -> bytes:
    cap_wei, tip_wei = hand.desk.client.fees()
    fields = {
        "chainId": hand.desk.identity.chain_id,
        "nonce": hand.desk.client.nonce(holder.key.address),
        "gas": GAS_MOST,
        "maxFeePerGas": cap_wei,
        "maxPriorityFeePerGas": tip_wei,
        "to": target,
        "value": 0,
        "data": data,
    }
    return bytes(Account.sign_transaction(fields, holder.key.secret).raw_transaction)

"""The on-chain half of a mandate: a `Spender` contract that pays only what the agent has authorised within its bounds.

Each payment is announced to the contract first, which takes it off its own budgets; from then on it says yes (ERC-1271)
to exactly that message. Stolen as it may be, the agent's key cannot spend beyond what the owner wrote there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from penstock.agent.chain_link import ChainLink, calldata
from penstock.agent.wallet import EXACT_TYPE
from penstock.errors import Refused
from penstock.keys import ChainKey

PAYMENT: Final = "(uint256,address,address,uint256,uint256,uint256,bytes32)"
"""The contract's Payment: kind, payee, facilitator, amount, valid after, valid before, nonce."""
TRANSFER, METERED = 0, 2
NOBODY: Final = "0x" + "00" * 20
Approve = Callable[[bytes], bytes]
"""The owner's signature over the hash of a payment above the limit."""


@dataclass(frozen=True, slots=True)
class Spender:
    """The contract at ``address``, spoken to with the agent's key; ``approve`` asks the owner, where there is a way."""

    address: str
    link: ChainLink
    key: ChainKey = field(repr=False)
    approve: Approve | None = field(default=None, repr=False)

    def authorize(self, primary_type: str, message: Mapping[str, Any]) -> bytes:
        """Announce the payment; what to send for a signature: the message's hash, as the contract looks at none.

        Raises:
            Refused: ``chain.reverted`` with the contract's word (``spender.per_call``, ``spender.total``, ...);
            ``mandate.approval`` where the owner has to be asked and cannot. Unavailable: as `ChainLink.ask`.
        """
        payment = payment_of(primary_type, message)
        approval = self._approval(payment)
        self.link.send(self.key, self.address, calldata(f"authorize({PAYMENT},bytes)", [payment, approval]))
        (digest,) = self.link.read(self.address, f"digest_of({PAYMENT})", [payment], ["bytes32"])
        return bytes(digest)

    def release(self, primary_type: str, message: Mapping[str, Any]) -> str:
        """Give an unused payment's amount back to the budgets; the transaction. Raises as `ChainLink.send`."""
        payment = payment_of(primary_type, message)
        return self.link.send(self.key, self.address, calldata(f"release({PAYMENT})", [payment]))

    def left(self) -> tuple[int, int]:
        """What the contract still lets go within the hour, and in all [micro-dollars]."""
        hour, total = self.link.read(self.address, "left()", [], ["uint256", "uint256"])
        return int(hour), int(total)

    def _approval(self, payment: tuple[Any, ...]) -> bytes:
        kinds = ["uint256"] * 5
        above = int(self.link.read(self.address, "mandate()", [], [f"({','.join(kinds)})"])[0][3])
        if int(payment[3]) <= above:
            return b""
        if self.approve is None:
            hint = "Pay less in one call, or let the owner sign."
            raise Refused("mandate.approval", f"Above {above} µ$ the contract asks its owner.", hint=hint)
        (digest,) = self.link.read(self.address, f"approval_of({PAYMENT})", [payment], ["bytes32"])
        return self.approve(bytes(digest))


def payment_of(primary_type: str, message: Mapping[str, Any]) -> tuple[Any, ...]:
    """The contract's Payment of a message in typed data: EIP-3009's, or Permit2's with x402's witness."""
    if primary_type == EXACT_TYPE:
        times = int(message["validAfter"]), int(message["validBefore"])
        return TRANSFER, message["to"].lower(), NOBODY, int(message["value"]), *times, word(message["nonce"])
    witness, amount = message["witness"], int(message["permitted"]["amount"])
    parties = witness["to"].lower(), witness["facilitator"].lower()
    return METERED, *parties, amount, int(witness["validAfter"]), int(message["deadline"]), word(message["nonce"])


def word(nonce: object) -> bytes:
    """A nonce as 32 bytes, however it is written."""
    if isinstance(nonce, bytes):
        return nonce
    text = str(nonce)
    return bytes.fromhex(text[2:]) if text.startswith("0x") else int(text).to_bytes(32, "big")

"""Keys, signing and a token for the chain's tests. People are roles; keys come from their names."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from eth_abi.abi import encode
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from penstock.chain.node import CHAIN_ID, Genesis

ROOT = Path(__file__).resolve().parents[2]
NODE_JS = ROOT / ".venv" / "bin" / "node"
ANVIL = ROOT / "node_modules" / "@foundry-rs" / "anvil-linux-amd64" / "bin" / "anvil"
ETHER = 10**18
FEE_CAP = 100 * 10**9
# Creates PUSH0 CALLDATALOAD PUSH0 SSTORE STOP: what is called with lands in slot 0.
STORES_ITS_FIRST_WORD = bytes.fromhex("6005600a5f3960055ff3" + "5f355f5500")


def role(name: str) -> LocalAccount:
    """The account of a role."""
    account: LocalAccount = Account.from_key(keccak(text=name))
    return account


OPERATOR, INVESTOR, ATTACKER = role("operator"), role("investor"), role("attacker")
ROLES = (OPERATOR, INVESTOR, ATTACKER)
GENESIS = Genesis(alloc={bytes.fromhex(account.address[2:]): 1_000 * ETHER for account in ROLES})


def sign(account: LocalAccount, nonce: int, to: str | None = None, **fields: Any) -> bytes:
    """A signed EIP-1559 transaction unless ``fields`` say otherwise."""
    terms: dict[str, Any] = {"nonce": nonce, "chainId": CHAIN_ID, "value": 0, "data": b"", "gas": 21_000} | fields
    if "gasPrice" not in terms:
        terms = {"maxFeePerGas": FEE_CAP, "maxPriorityFeePerGas": 1} | terms
    if to is not None:
        terms["to"] = to_checksum_address(to)
    return bytes(account.sign_transaction(terms).raw_transaction)


def dollar() -> dict[str, Any]:
    """The token's artefact."""
    found: dict[str, Any] = json.loads((ROOT / "src/penstock/chain/artefacts/Dollar.json").read_text())
    return found


def deploy_dollar(minter: LocalAccount, nonce: int, **fields: Any) -> bytes:
    """A signed creation of the token, minted by ``minter``."""
    code = bytes.fromhex(dollar()["bytecode"].removeprefix("0x")) + encode(["address"], [minter.address])
    return sign(minter, nonce, data=code, gas=3_000_000, **fields)


def calldata(signature: str, *values: Any) -> bytes:
    """Call data of ``name(type,...)``."""
    types = signature[signature.index("(") + 1 : -1]
    return keccak(text=signature)[:4] + encode(types.split(",") if types else [], values)


class Clock:
    """A clock the test turns [s]."""

    def __init__(self, at_s: int) -> None:
        self.at_s = at_s

    def __call__(self) -> int:
        return self.at_s

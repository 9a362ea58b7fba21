"""EIP-712 signatures by eth-account, which knows nothing of our contracts but their published domain."""

from __future__ import annotations

from typing import Any

from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from nodes import CHAIN_ID, Chain
from web3.contract import Contract

TRANSFER = ["from:address", "to:address", "value:uint256", "validAfter:uint256", "validBefore:uint256", "nonce:bytes32"]
TYPES = {
    "Permit": ["owner:address", "spender:address", "value:uint256", "nonce:uint256", "deadline:uint256"],
    "TransferWithAuthorization": TRANSFER,
    "ReceiveWithAuthorization": TRANSFER,
    "CancelAuthorization": ["authorizer:address", "nonce:bytes32"],
}


def sign(
    contract: Contract, name: str, version: str, signer: LocalAccount, kind: str, *terms: Any, chain_id: int = CHAIN_ID
) -> tuple[Any, ...]:
    """(v, r, s) of one typed message."""
    fields = [dict(zip(("name", "type"), item.split(":"), strict=True)) for item in TYPES[kind]]
    domain = {"name": name, "version": version, "chainId": chain_id, "verifyingContract": contract.address}
    message = dict(zip([item["name"] for item in fields], terms, strict=True))
    signed = signer.sign_message(encode_typed_data(domain, {kind: fields}, message))
    return signed.v, signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big")


def authorization(chain: Chain, dollar: Contract, signer: LocalAccount, kind: str, *terms: Any) -> tuple[Any, ...]:
    """A signature under the domain that the contract itself publishes (ERC-5267)."""
    _, name, version, chain_id, *_ = dollar.functions.eip712Domain().call()
    assert chain_id == chain.w3.eth.chain_id
    return sign(dollar, name, version, signer, kind, *terms)


def permit(chain: Chain, token: Contract, owner: LocalAccount, *terms: Any) -> tuple[Any, ...]:
    """A permit of any of our tokens."""
    return authorization(chain, token, owner, "Permit", *terms)

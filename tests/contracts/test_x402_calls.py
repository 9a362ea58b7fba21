"""The x402 package's own checks and calls against our contracts: verified, simulated, settled, refusals explained."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

import pytest
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from nodes import CHAIN_ID, Chain, Reverted
from web3.contract import Contract
from x402.mechanisms.evm import constants as x402
from x402.mechanisms.evm.eip712 import hash_eip3009_authorization
from x402.mechanisms.evm.exact.eip3009_utils import (
    EIP3009SignatureClassification,
    classify_eip3009_signature,
    diagnose_eip3009_simulation_failure,
    execute_transfer_with_authorization,
    parse_eip3009_authorization,
    simulate_eip3009_transfer,
    verify_eip3009_transfer_event,
)
from x402.mechanisms.evm.signer import FacilitatorEvmSigner
from x402.mechanisms.evm.types import ExactEIP3009Authorization

from penstock.chain.typed_data import ZERO_ADDRESS

NAME, VERSION = "Test Dollar", "2"
NONCE = "0x" + "5a" * 32


@dataclass
class Facilitator:
    """As much of the package's signer as its EIP-3009 path asks for."""

    chain: Chain
    account: LocalAccount
    receipt: Any = None

    def read_contract(self, address: str, abi: Any, name: str, *args: Any) -> Any:
        return self._call(address, abi, name, *args).call({"from": self.account.address})

    def write_contract(self, address: str, abi: Any, name: str, *args: Any, data_suffix: str | None = None) -> str:
        self.receipt = self.chain.send(self._call(address, abi, name, *args), self.account)
        return "0x" + bytes(self.receipt["transactionHash"]).hex()

    def get_code(self, address: str) -> bytes:
        return bytes(self.chain.w3.eth.get_code(self.chain.w3.to_checksum_address(address)))

    def _call(self, address: str, abi: Any, name: str, *args: Any) -> Any:
        contract = self.chain.w3.eth.contract(address=self.chain.w3.to_checksum_address(address), abi=abi)
        return getattr(contract.functions, name)(*args)


@dataclass
class Scene:
    chain: Chain
    dollar: Contract
    spender: Contract
    facilitator: Facilitator

    @property
    def signer(self) -> FacilitatorEvmSigner:
        return cast(FacilitatorEvmSigner, self.facilitator)

    def asked(self, payer: str, amount: int = 700) -> ExactEIP3009Authorization:
        payee = self.chain.account("payee").address
        return ExactEIP3009Authorization(payer, payee, str(amount), "0", str(self.chain.now() + 600), NONCE)

    def classify(self, asked: ExactEIP3009Authorization, signature: bytes) -> EIP3009SignatureClassification:
        return classify_eip3009_signature(self.signer, asked, signature, CHAIN_ID, self.dollar.address, NAME, VERSION)

    def simulated(self, asked: ExactEIP3009Authorization, signature: bytes) -> bool:
        known = self.classify(asked, signature).sig_data
        return simulate_eip3009_transfer(self.signer, self.dollar.address, parse_eip3009_authorization(asked), known)

    def settle(self, asked: ExactEIP3009Authorization, signature: bytes) -> None:
        known = self.classify(asked, signature).sig_data
        terms = parse_eip3009_authorization(asked)
        execute_transfer_with_authorization(self.signer, self.dollar.address, terms, known)
        logs = list(self.facilitator.receipt["logs"])
        moved = {"from_address": asked.from_address, "to": asked.to, "value": int(asked.value)}
        assert verify_eip3009_transfer_event(logs, self.dollar.address, **moved)  # type: ignore[arg-type]

    def why(self, asked: ExactEIP3009Authorization, name: str = NAME) -> str:
        wanted = int(asked.value)
        return diagnose_eip3009_simulation_failure(self.signer, self.dollar.address, asked, wanted, name, VERSION)


@pytest.fixture
def scene(chain: Chain) -> Scene:
    dollar = chain.deploy("Dollar", chain.account("minter").address)
    people = (chain.account("owner").address, chain.account("agent").address)
    mandate = (1_000, 1_000, 1_000, 1_000, chain.now() + 3_600)
    spender = chain.deploy("Spender", *people, dollar.address, mandate, [chain.account("payee").address])
    for holder in (spender.address, chain.account("payer").address):
        chain.send(dollar.functions.mint(holder, 1_000), chain.account("minter"))
    return Scene(chain, dollar, spender, Facilitator(chain, chain.account("facilitator")))


@pytest.mark.parametrize("signature", [b"\x01" * 32, b"\x01" * 64 + b"\x1b", b"\x01" * 200])
def test_a_bounded_account_is_a_payer_like_any(scene: Scene, signature: bytes) -> None:
    asked = scene.asked(scene.spender.address)
    assert not scene.classify(asked, signature).valid
    assert not scene.simulated(asked, signature)
    payment = (0, asked.to, ZERO_ADDRESS, 700, 0, int(asked.valid_before), bytes.fromhex(NONCE[2:]))
    scene.chain.send(scene.spender.functions.authorize(payment, b""), scene.chain.account("agent"))
    assert scene.classify(asked, signature).valid
    assert scene.simulated(asked, signature)
    dearer = replace(asked, value="701")
    assert not scene.classify(dearer, signature).valid
    scene.settle(asked, signature)
    assert scene.dollar.functions.balanceOf(asked.to).call() == 700
    assert scene.why(asked) == x402.ERR_NONCE_ALREADY_USED


def test_a_key_pays_and_refusals_are_precise(scene: Scene) -> None:
    payer = scene.chain.account("payer")
    asked = scene.asked(payer.address)
    signature = _signed(scene, payer, asked)
    assert scene.classify(asked, signature).valid
    assert scene.simulated(asked, signature)
    assert scene.why(asked, name="Another Dollar") == x402.ERR_TOKEN_NAME_MISMATCH
    assert scene.why(replace(asked, value="1001")) == x402.ERR_INSUFFICIENT_BALANCE
    scene.settle(asked, signature)
    assert not scene.simulated(asked, signature)
    assert scene.why(asked) == x402.ERR_NONCE_ALREADY_USED
    with pytest.raises(Reverted, match=r"dollar\.used"):
        scene.settle(asked, signature)


def _signed(scene: Scene, payer: LocalAccount, asked: ExactEIP3009Authorization) -> bytes:
    kinds = {"from": "address", "to": "address", "value": "uint256"}
    kinds |= {"validAfter": "uint256", "validBefore": "uint256", "nonce": "bytes32"}
    types = {"TransferWithAuthorization": [{"name": name, "type": kind} for name, kind in kinds.items()]}
    domain = {"name": NAME, "version": VERSION, "chainId": CHAIN_ID, "verifyingContract": scene.dollar.address}
    values = (asked.from_address, asked.to, int(asked.value), 0, int(asked.valid_before), bytes.fromhex(NONCE[2:]))
    message = encode_typed_data(domain, types, dict(zip(kinds, values, strict=True)))
    digest = hash_eip3009_authorization(asked, CHAIN_ID, scene.dollar.address, NAME, VERSION)
    signed = payer.sign_message(message)
    assert bytes(signed.message_hash) == digest
    return bytes(signed.signature)

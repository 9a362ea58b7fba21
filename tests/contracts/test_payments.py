"""Signed payments on both nodes: Permit2's messages, x402's two calls over them, contracts that pay, many reads.

Messages and interfaces are those that the x402 package publishes, which knows nothing of our contracts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_account.messages import encode_typed_data
from eth_account.signers.local import LocalAccount
from nodes import CHAIN_ID, Chain, artefact
from scene import compiled
from signing import sign
from web3.contract import Contract
from x402.mechanisms.evm import constants as x402

from penstock.chain.well_known import PLACES, well_known_code

PINNED = json.loads((Path(__file__).parent / "gas_payments.json").read_text())
FAR_S = 2**40 - 1
CAP = 20_000
TRANSFER = "TransferWithAuthorization"
NONCE = b"\x5a" * 32


@dataclass
class Scene:
    """A dollar, a payer that allows Permit2 everything, and the well-known contracts at their places."""

    chain: Chain
    dollar: Contract

    def one(self, role: str) -> LocalAccount:
        return self.chain.account(role)

    def at(self, address: str, abi: Any) -> Contract:
        return self.chain.w3.eth.contract(address=self.chain.w3.to_checksum_address(address), abi=abi)

    def dollars(self, role: str) -> int:
        return int(self.dollar.functions.balanceOf(self.one(role).address).call())

    @property
    def permit(self) -> Contract:
        return self.at(x402.PERMIT2_ADDRESS, artefact("Permit")["abi"])

    @property
    def upto(self) -> Any:
        return self.at(x402.X402_UPTO_PERMIT2_PROXY_ADDRESS, x402.X402_UPTO_PERMIT2_PROXY_ABI).functions

    @property
    def exact(self) -> Any:
        return self.at(x402.X402_EXACT_PERMIT2_PROXY_ADDRESS, x402.X402_EXACT_PERMIT2_PROXY_ABI).functions

    def signed(self, types: Any, spender: str, nonce: int, deadline: int, witness: dict[str, Any]) -> bytes:
        domain = {"name": "Permit2", "chainId": CHAIN_ID, "verifyingContract": x402.PERMIT2_ADDRESS}
        message = {
            "permitted": {"token": self.dollar.address, "amount": CAP},
            "spender": spender,
            "nonce": nonce,
            "deadline": deadline,
            "witness": witness,
        }
        return bytes(self.one("payer").sign_message(encode_typed_data(domain, types, message)).signature)

    def metered(self, amount: int, nonce: int = 7, deadline: int = FAR_S, **altered: Any) -> Any:
        """A call of ``settle`` for ``amount`` of the cap the payer signed."""
        witness = {"to": self.one("payee").address, "facilitator": self.one("facilitator").address, "validAfter": 0}
        types = x402.UPTO_PERMIT2_WITNESS_TYPES
        signature = self.signed(types, x402.X402_UPTO_PERMIT2_PROXY_ADDRESS, nonce, deadline, witness)
        shown = tuple((witness | altered).values())
        permit = ((self.dollar.address, CAP), nonce, deadline)
        return self.upto.settle(permit, amount, self.one("payer").address, shown, signature)

    def fixed(self, nonce: int = 9, valid_after: int = 0, **altered: Any) -> Any:
        """A call of ``settle`` for all that the payer signed."""
        witness = {"to": self.one("payee").address, "validAfter": valid_after}
        spender = x402.X402_EXACT_PERMIT2_PROXY_ADDRESS
        signature = self.signed(x402.PERMIT2_WITNESS_TYPES, spender, nonce, FAR_S, witness)
        permit = ((self.dollar.address, CAP), nonce, FAR_S)
        return self.exact.settle(permit, self.one("payer").address, tuple((witness | altered).values()), signature)


@pytest.fixture
def scene(chain: Chain) -> Scene:
    made = Scene(chain, chain.deploy("Dollar", chain.account("minter").address))
    chain.send(made.dollar.functions.mint(made.one("payer").address, 10 * CAP), made.one("minter"))
    chain.send(made.dollar.functions.approve(x402.PERMIT2_ADDRESS, 2**256 - 1), made.one("payer"))
    return made


def test_what_stands_where(chain: Chain) -> None:
    """The addresses are those that the package and its clients have built in."""
    named = (
        x402.PERMIT2_ADDRESS,
        x402.X402_EXACT_PERMIT2_PROXY_ADDRESS,
        x402.X402_UPTO_PERMIT2_PROXY_ADDRESS,
        x402.MULTICALL3_ADDRESS,
    )
    assert {bytes.fromhex(one[2:]) for one in named} == set(PLACES)
    for address, code in well_known_code().items():
        assert bytes(chain.w3.eth.get_code(chain.w3.to_checksum_address(address))) == code


def test_metered_payment_takes_at_most_the_cap_and_once(scene: Scene) -> None:
    chain, facilitator = scene.chain, scene.one("facilitator")
    assert chain.refused(scene.metered(CAP + 1), facilitator) == "upto.AmountExceedsPermitted"
    assert chain.refused(scene.metered(370), scene.one("attacker")) == "upto.UnauthorizedFacilitator"
    chain.send(scene.metered(370), facilitator)
    assert scene.dollars("payee") == 370
    assert scene.dollars("payer") == 10 * CAP - 370
    assert chain.refused(scene.metered(1), facilitator) == "permit.InvalidNonce"
    chain.send(scene.metered(CAP, nonce=8), facilitator)
    assert scene.permit.functions.nonceBitmap(scene.one("payer").address, 0).call() == 0b1_1000_0000


def test_nothing_a_payer_signed_can_be_altered(scene: Scene) -> None:
    chain, facilitator, attacker = scene.chain, scene.one("facilitator"), scene.one("attacker")
    for altered in ({"to": attacker.address}, {"validAfter": 1}):
        assert chain.refused(scene.metered(370, **altered), facilitator) == "signed.wrong_signer"
    stolen = scene.metered(370, facilitator=attacker.address)
    assert chain.refused(stolen, attacker) == "signed.wrong_signer"
    assert chain.refused(scene.fixed(to=attacker.address), attacker) == "signed.wrong_signer"
    # one signature serves one of the two calls
    witness = (scene.one("payee").address, 0)
    types, spender = x402.PERMIT2_WITNESS_TYPES, x402.X402_UPTO_PERMIT2_PROXY_ADDRESS
    other = scene.signed(types, spender, 3, FAR_S, {"to": witness[0], "validAfter": 0})
    permit = ((scene.dollar.address, CAP), 3, FAR_S)
    call = scene.exact.settle(permit, scene.one("payer").address, witness, other)
    assert chain.refused(call, attacker) == "signed.wrong_signer"
    assert scene.dollars("payer") == 10 * CAP


def test_bounds_in_time(scene: Scene) -> None:
    chain = scene.chain
    early = scene.fixed(valid_after=chain.now() + 1_000)
    assert chain.refused(early, scene.one("relayer")) == "exact.PaymentTooEarly"
    late = scene.metered(370, deadline=chain.now() - 1)
    assert chain.refused(late, scene.one("facilitator")) == "permit.SignatureExpired"
    chain.advance(1_001)
    chain.send(early, scene.one("relayer"))
    assert scene.dollars("payee") == CAP


def test_exact_payment_takes_what_was_signed(scene: Scene) -> None:
    chain, relayer = scene.chain, scene.one("relayer")
    zero = "0x" + "00" * 20
    assert chain.refused(scene.fixed(to=zero), relayer) == "exact.InvalidDestination"
    chain.send(scene.fixed(), relayer)
    assert scene.dollars("payee") == CAP
    assert chain.refused(scene.fixed(), relayer) == "permit.InvalidNonce"


def test_nonces_taken_back_by_their_owner(scene: Scene) -> None:
    chain, payer = scene.chain, scene.one("payer")
    act = scene.permit.functions.invalidateUnorderedNonces
    chain.send(act(0, 2**256 - 1), scene.one("attacker"))  # its own, which hurts nobody
    chain.send(act(0, 1 << 7), payer)
    assert chain.refused(scene.metered(370), scene.one("facilitator")) == "permit.InvalidNonce"
    chain.send(scene.metered(370, nonce=8), scene.one("facilitator"))


def test_without_allowance_or_dollars(scene: Scene) -> None:
    chain, payer, facilitator = scene.chain, scene.one("payer"), scene.one("facilitator")
    chain.send(scene.dollar.functions.approve(x402.PERMIT2_ADDRESS, CAP - 1), payer)
    assert chain.refused(scene.metered(CAP), facilitator) == "dollar.allowance"
    chain.send(scene.metered(CAP - 1), facilitator)  # only what is taken counts
    chain.send(scene.dollar.functions.approve(x402.PERMIT2_ADDRESS, 2**256 - 1), payer)
    chain.send(scene.dollar.functions.transfer(scene.one("payee").address, 9 * CAP), payer)
    assert chain.refused(scene.metered(CAP, nonce=8), facilitator) == "dollar.balance"


def test_allowance_comes_with_the_payment(scene: Scene) -> None:
    """ERC-2612 in the same transaction; brought twice, or by somebody before, it does no harm."""
    chain, payer, facilitator = scene.chain, scene.one("payer"), scene.one("facilitator")
    chain.send(scene.dollar.functions.approve(x402.PERMIT2_ADDRESS, 0), payer)
    terms = (payer.address, x402.PERMIT2_ADDRESS, CAP, 0, FAR_S)
    v, r, s = sign(scene.dollar, "Test Dollar", "2", payer, "Permit", *terms)
    abi = x402.X402_UPTO_PERMIT2_PROXY_SETTLE_WITH_PERMIT_ABI
    proxy = scene.at(x402.X402_UPTO_PERMIT2_PROXY_ADDRESS, abi).functions
    settle = scene.metered(370).args
    wrong = proxy.settleWithPermit((CAP - 1, FAR_S, r, s, v), *settle)
    assert chain.refused(wrong, facilitator) == "upto.Permit2612AmountMismatch"
    chain.send(scene.dollar.functions.permit(payer.address, x402.PERMIT2_ADDRESS, CAP, FAR_S, v, r, s), facilitator)
    chain.send(proxy.settleWithPermit((CAP, FAR_S, r, s, v), *settle), facilitator)
    assert scene.dollars("payee") == 370
    again = scene.at(x402.X402_EXACT_PERMIT2_PROXY_ADDRESS, x402.X402_EXACT_PERMIT2_PROXY_SETTLE_WITH_PERMIT_ABI)
    call = again.functions.settleWithPermit((CAP, FAR_S, r, s, v), *scene.fixed().args)
    assert chain.refused(call, facilitator) == "dollar.allowance"  # 370 of it are spent


# ------------------------------------------------------------ signatures as bytes, and contracts that pay


def second_form(scene: Scene) -> Contract:
    """The dollar as the package calls it where a signature is no (v, r, s)."""
    return scene.at(scene.dollar.address, x402.TRANSFER_WITH_AUTHORIZATION_BYTES_ABI)


def packed(v: int, r: bytes, s: bytes) -> bytes:
    return r + s + bytes([v])


def test_authorisation_with_its_signature_as_bytes(scene: Scene) -> None:
    chain, payer, relayer = scene.chain, scene.one("payer"), scene.one("relayer")
    terms = (payer.address, scene.one("payee").address, 9, 0, FAR_S, NONCE)
    signature = packed(*sign(scene.dollar, "Test Dollar", "2", payer, TRANSFER, *terms))
    act = second_form(scene).functions.transferWithAuthorization
    for spoiled in (b"", signature[:64], signature + b"\0", bytes(1024)):
        assert chain.refused(act(*terms, spoiled), relayer) == "signed.length"
    assert chain.refused(act(*terms, bytes(1025)), relayer) == "signed.length"
    assert chain.refused(act(*terms[:2], 10, *terms[3:], signature), relayer) == "signed.wrong_signer"
    assert chain.refused(act(*terms[:3], FAR_S, FAR_S, NONCE, signature), relayer) == "dollar.not_yet"
    chain.send(act(*terms, signature), relayer)
    assert scene.dollars("payee") == 9
    assert chain.refused(act(*terms, signature), relayer) == "dollar.used"


def test_the_other_forms_as_bytes(scene: Scene) -> None:
    chain, payer, payee = scene.chain, scene.one("payer"), scene.one("payee")
    terms = (payer.address, payee.address, 9, 0, FAR_S, NONCE)
    signature = packed(*sign(scene.dollar, "Test Dollar", "2", payer, "ReceiveWithAuthorization", *terms))
    head = ["address", "address", "uint256", "uint256", "uint256", "bytes32", "bytes"]
    receive = raw(chain, scene.dollar, "receiveWithAuthorization", head, *terms, signature)
    assert chain.refused(receive, scene.one("attacker")) == "dollar.not_payee"
    chain.send(receive, payee)
    assert scene.dollars("payee") == 9
    other = b"\x11" * 32
    stop = packed(*sign(scene.dollar, "Test Dollar", "2", payer, "CancelAuthorization", payer.address, other))
    chain.send(
        raw(chain, scene.dollar, "cancelAuthorization", ["address", "bytes32", "bytes"], payer.address, other, stop),
        payee,
    )
    assert scene.dollar.functions.authorizationState(payer.address, other).call()
    grant = (payer.address, payee.address, 5, 0, FAR_S)
    allowed = packed(*sign(scene.dollar, "Test Dollar", "2", payer, "Permit", *grant))
    head = ["address", "address", "uint256", "uint256", "bytes"]
    chain.send(raw(chain, scene.dollar, "permit", head, *grant[:3], FAR_S, allowed), payee)
    assert scene.dollar.functions.allowance(payer.address, payee.address).call() == 5


def test_other_call_data_is_refused(scene: Scene) -> None:
    """What is no function of the dollar stays refused, and so is a layout that no encoder makes."""
    chain, payer = scene.chain, scene.one("payer")
    assert chain.refused(Raw(chain, scene.dollar.address, b"\xde\xad\xbe\xef" + bytes(300)), payer) == "dollar.unknown"
    assert chain.refused(Raw(chain, scene.dollar.address, b"\x01"), payer) == ""
    good = raw(chain, scene.dollar, "cancelAuthorization", ["address", "bytes32", "bytes"], payer.address, NONCE, b"")
    moved = good.data[:68] + (128).to_bytes(32, "big") + bytes(32) + good.data[100:]
    assert chain.refused(Raw(chain, scene.dollar.address, moved), payer) == "dollar.layout"
    cut = good.data[:100]
    assert chain.refused(Raw(chain, scene.dollar.address, cut), payer) == ""


@pytest.mark.parametrize("length", [0, 1, 32, 65, 97, 1024])
def test_a_contract_pays_by_its_own_word(scene: Scene, length: int) -> None:
    """ERC-1271: whoever has code answers for itself; a signature of any length reaches it whole."""
    chain, relayer = scene.chain, scene.one("relayer")
    signature = bytes(range(256)) * 4
    signature = signature[:length]
    wallet = chain.deploy_code(compiled("StandInWallet"))
    chain.send(scene.dollar.functions.mint(wallet.address, 100), scene.one("minter"))
    terms = (wallet.address, scene.one("payee").address, 9, 0, FAR_S, NONCE)
    act = second_form(scene).functions.transferWithAuthorization(*terms, signature)
    assert chain.refused(act, relayer) == "signed.wrong_signer"
    chain.send(wallet.functions.expect(signature), relayer)
    chain.send(act, relayer)
    assert scene.dollars("payee") == 9


def test_a_contract_pays_by_v_r_s_too(scene: Scene) -> None:
    """65 bytes are handed over as (v, r, s) by clients that look at nothing but the length."""
    chain, relayer = scene.chain, scene.one("relayer")
    wallet = chain.deploy_code(compiled("StandInWallet"))
    chain.send(scene.dollar.functions.mint(wallet.address, 100), scene.one("minter"))
    r, s, v = b"\x01" * 32, b"\xff" * 32, 28
    terms = (wallet.address, scene.one("payee").address, 9, 0, FAR_S, NONCE)
    act = scene.dollar.functions.transferWithAuthorization(*terms, v, r, s)
    chain.send(wallet.functions.expect(r + s), relayer)
    assert chain.refused(act, relayer) == "signed.wrong_signer"
    chain.send(wallet.functions.expect(packed(v, r, s)), relayer)
    chain.send(act, relayer)
    assert scene.dollars("payee") == 9


@pytest.mark.parametrize("mood", [1, 2, 3])
def test_contracts_that_answer_badly(scene: Scene, mood: int) -> None:
    """A revert, a short answer and a yes with dirt behind it are all a no."""
    chain, relayer = scene.chain, scene.one("relayer")
    wallet = chain.deploy_code(compiled("StandInWallet"))
    chain.send(wallet.functions.expect(b"\x01"), relayer)
    chain.send(wallet.functions.sulk(mood), relayer)
    terms = (wallet.address, scene.one("payee").address, 0, 0, FAR_S, NONCE)
    act = second_form(scene).functions.transferWithAuthorization(*terms, b"\x01")
    assert chain.refused(act, relayer) == "signed.wrong_signer"
    chain.send(wallet.functions.sulk(0), relayer)
    chain.send(act, relayer)


def test_a_contract_pays_metered(scene: Scene) -> None:
    chain, facilitator = scene.chain, scene.one("facilitator")
    wallet = chain.deploy_code(compiled("StandInWallet"))
    chain.send(scene.dollar.functions.mint(wallet.address, CAP), scene.one("minter"))
    chain.send(wallet.functions.allow(scene.dollar.address, x402.PERMIT2_ADDRESS), facilitator)
    chain.send(wallet.functions.expect(b"yes"), facilitator)
    witness = (scene.one("payee").address, facilitator.address, 0)
    permit = ((scene.dollar.address, CAP), 1, FAR_S)
    assert (
        chain.refused(scene.upto.settle(permit, 5, wallet.address, witness, b"no"), facilitator)
        == "signed.wrong_signer"
    )
    chain.send(scene.upto.settle(permit, 5, wallet.address, witness, b"yes"), facilitator)
    assert scene.dollars("payee") == 5


# ------------------------------------------------------------ many reads


def test_many_reads_in_one(scene: Scene) -> None:
    calls = scene.at(x402.MULTICALL3_ADDRESS, x402.MULTICALL3_TRY_AGGREGATE_ABI).functions.tryAggregate
    dollar = scene.dollar
    read = dollar.encode_abi("balanceOf", [scene.one("payer").address])
    bad = dollar.encode_abi("mint", [scene.one("payer").address, 1])
    found = calls(False, [(dollar.address, read), (dollar.address, bad)]).call()
    assert found[0] == (True, (10 * CAP).to_bytes(32, "big"))
    assert found[1][0] is False
    assert b"roles.not_holder" in found[1][1]
    assert calls(False, []).call() == []
    assert scene.chain.refused(calls(True, [(dollar.address, bad)]), scene.one("payer")) == "calls.failed"


def test_gas(scene: Scene) -> None:
    """Whole receipts, equal on both nodes."""
    chain, relayer, facilitator = scene.chain, scene.one("relayer"), scene.one("facilitator")
    terms = (scene.one("payer").address, scene.one("payee").address, 9, 0, FAR_S, NONCE)
    signature = packed(*sign(scene.dollar, "Test Dollar", "2", scene.one("payer"), TRANSFER, *terms))
    found = {"exact, EIP-3009 with bytes": chain.gas(transfer_by_bytes(scene, terms, signature), relayer)}
    found["exact, Permit2, first"] = chain.gas(scene.fixed(), relayer)
    found["exact, Permit2, later"] = chain.gas(scene.fixed(nonce=10), relayer)
    found["upto, first"] = chain.gas(scene.metered(370, nonce=300), facilitator)
    found["upto, later"] = chain.gas(scene.metered(370, nonce=301), facilitator)
    assert found == PINNED["payments"]


def transfer_by_bytes(scene: Scene, terms: tuple[Any, ...], signature: bytes) -> Any:
    return second_form(scene).functions.transferWithAuthorization(*terms, signature)


# ------------------------------------------------------------ calls that no ABI of ours names


@dataclass
class Raw:
    """A call by its bytes, shaped as web3's calls are."""

    chain: Chain
    address: str
    data: bytes
    fn_name: str = "raw"

    def _encode_transaction_data(self) -> str:
        return "0x" + self.data.hex()


def raw(chain: Chain, contract: Contract, name: str, kinds: list[str], *args: Any) -> Raw:
    selector = chain.w3.keccak(text=f"{name}({','.join(kinds)})")[:4]
    return Raw(chain, contract.address, bytes(selector) + encode(kinds, list(args)))

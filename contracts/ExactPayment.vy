# pragma version 0.4.3
"""
@title  Exact payment: the amount that the payer signed, to whom it named
@notice Our own contract with the calls of x402's proxy for `exact` over Permit2. It stands at that proxy's address where a
        chain has none: in the genesis of the embedded chain. The payer's signature covers payee and start.
@dev    No constructor and no immutables: the code is placed, not deployed. Refusals carry the words that facilitators
        look for, hence their spelling.
"""


struct TokenPermissions:
    token: address
    amount: uint256


struct PermitTransferFrom:
    permitted: TokenPermissions
    nonce: uint256
    deadline: uint256


struct SignatureTransferDetails:
    to: address
    requestedAmount: uint256


struct Witness:
    to: address
    validAfter: uint256


struct Permit2612:
    value: uint256
    deadline: uint256
    r: bytes32
    s: bytes32
    v: uint8


interface Permits:
    def permitWitnessTransferFrom(
        permit: PermitTransferFrom,
        details: SignatureTransferDetails,
        owner: address,
        witness: bytes32,
        witness_type: String[160],
        signature: Bytes[SIGNATURE_MAX],
    ): nonpayable


event Settled:
    pass


event SettledWithPermit:
    pass


SIGNATURE_MAX: constant(uint256) = 1024  # [bytes]
PERMIT2: public(constant(address)) = 0x000000000022D473030F116dDEE9F6B43aC78BA3
WITNESS: constant(bytes32) = keccak256("Witness(address to,uint256 validAfter)")
WITNESS_TYPE: constant(String[100]) = "Witness witness)TokenPermissions(address token,uint256 amount)Witness(address to,uint256 validAfter)"


@external
def settle(
    permit: PermitTransferFrom,
    owner: address,
    witness: Witness,
    signature: Bytes[SIGNATURE_MAX],
):
    """
    @notice Role: anyone who brings the payer's signature.
    """
    self._settle(permit, permit.permitted.amount, owner, witness, signature)
    log Settled()


@external
def settleWithPermit(
    permit2612: Permit2612,
    permit: PermitTransferFrom,
    owner: address,
    witness: Witness,
    signature: Bytes[SIGNATURE_MAX],
):
    """
    @notice Role: anyone who brings the payer's signature.
            First sets the allowance of `PERMIT2` by the owner's ERC-2612 permit of the same amount. A permit that the
            token refuses is passed over: somebody may have brought it before, and then the allowance is there.
    """
    assert permit2612.value == permit.permitted.amount, "exact.Permit2612AmountMismatch"
    done: bool = raw_call(
        permit.permitted.token,
        abi_encode(
            owner,
            PERMIT2,
            permit2612.value,
            permit2612.deadline,
            permit2612.v,
            permit2612.r,
            permit2612.s,
            method_id=method_id("permit(address,address,uint256,uint256,uint8,bytes32,bytes32)"),
        ),
        revert_on_failure=False,
    )
    self._settle(permit, permit.permitted.amount, owner, witness, signature)
    log SettledWithPermit()


@internal
def _settle(
    permit: PermitTransferFrom,
    amount: uint256,
    owner: address,
    witness: Witness,
    signature: Bytes[SIGNATURE_MAX],
):
    assert block.timestamp >= witness.validAfter, "exact.PaymentTooEarly"
    assert owner != empty(address), "exact.InvalidOwner"
    assert witness.to != empty(address), "exact.InvalidDestination"
    extcall Permits(PERMIT2).permitWitnessTransferFrom(
        permit,
        SignatureTransferDetails(to=witness.to, requestedAmount=amount),
        owner,
        keccak256(abi_encode(WITNESS, witness.to, witness.validAfter)),
        WITNESS_TYPE,
        signature,
    )

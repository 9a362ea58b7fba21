# pragma version 0.4.3
"""
@title  Permit: pays with any token by one signature
@notice Our own contract with the signature transfers of Permit2: the same selectors, typed messages, nonces and domain,
        so that wallets and clients that know Permit2 know it. It stands at Permit2's address where a chain has none:
        in the genesis of the embedded chain. The standing allowances and batches of Permit2 are not in it.
@dev    No constructor and no immutables: the code is placed, not deployed. Its refusals carry the words that
        facilitators look for (`InvalidNonce`, `InvalidAmount`, `SignatureExpired`), hence their spelling.
"""
from ethereum.ercs import IERC20
from parts import wallets


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


event UnorderedNonceInvalidation:
    owner: indexed(address)
    word: uint256
    mask: uint256


WITNESS_TYPE_MAX: constant(uint256) = 512
DOMAIN_TYPE: constant(bytes32) = keccak256("EIP712Domain(string name,uint256 chainId,address verifyingContract)")
NAME_HASH: constant(bytes32) = keccak256("Permit2")
PERMISSIONS: constant(bytes32) = keccak256("TokenPermissions(address token,uint256 amount)")
PERMIT: constant(bytes32) = keccak256(
    "PermitTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline)TokenPermissions(address token,uint256 amount)"
)
WITNESS_STUB: constant(String[100]) = "PermitWitnessTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline,"

nonceBitmap: public(HashMap[address, HashMap[uint256, uint256]])


@external
@view
def DOMAIN_SEPARATOR() -> bytes32:
    return self._domain()


@external
def permitTransferFrom(
    permit: PermitTransferFrom,
    details: SignatureTransferDetails,
    owner: address,
    signature: Bytes[wallets.SIGNATURE_MAX],
):
    """
    @notice Role: the spender that the owner's signature names.
    """
    terms: bytes32 = keccak256(
        abi_encode(PERMIT, self._permissions(permit.permitted), msg.sender, permit.nonce, permit.deadline)
    )
    self._transfer(permit, details, owner, terms, signature)


@external
def permitWitnessTransferFrom(
    permit: PermitTransferFrom,
    details: SignatureTransferDetails,
    owner: address,
    witness: bytes32,
    witness_type: String[WITNESS_TYPE_MAX],
    signature: Bytes[wallets.SIGNATURE_MAX],
):
    """
    @notice Role: the spender that the owner's signature names; the owner signed `witness` too.
    """
    kind: bytes32 = keccak256(concat(WITNESS_STUB, witness_type))
    terms: bytes32 = keccak256(
        abi_encode(kind, self._permissions(permit.permitted), msg.sender, permit.nonce, permit.deadline, witness)
    )
    self._transfer(permit, details, owner, terms, signature)


@external
def invalidateUnorderedNonces(word: uint256, mask: uint256):
    """
    @notice Role: the owner, of its own nonces.
    """
    self.nonceBitmap[msg.sender][word] |= mask
    log UnorderedNonceInvalidation(owner=msg.sender, word=word, mask=mask)


@internal
def _transfer(
    permit: PermitTransferFrom,
    details: SignatureTransferDetails,
    owner: address,
    terms: bytes32,
    signature: Bytes[wallets.SIGNATURE_MAX],
):
    assert block.timestamp <= permit.deadline, "permit.SignatureExpired"
    assert details.requestedAmount <= permit.permitted.amount, "permit.InvalidAmount"
    word: uint256 = permit.nonce >> 8
    bit: uint256 = 1 << (permit.nonce & 255)
    used: uint256 = self.nonceBitmap[owner][word]
    assert used & bit == 0, "permit.InvalidNonce"
    self.nonceBitmap[owner][word] = used | bit
    wallets.check(owner, keccak256(concat(x"1901", self._domain(), terms)), signature)
    assert extcall IERC20(permit.permitted.token).transferFrom(
        owner, details.to, details.requestedAmount, default_return_value=True
    ), "permit.transfer"


@internal
@pure
def _permissions(permitted: TokenPermissions) -> bytes32:
    return keccak256(abi_encode(PERMISSIONS, permitted.token, permitted.amount))


@internal
@view
def _domain() -> bytes32:
    return keccak256(abi_encode(DOMAIN_TYPE, NAME_HASH, chain.id, self))

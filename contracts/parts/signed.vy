# pragma version 0.4.3
"""
@title  EIP-712 digests and strict signature recovery
@dev    The domain is cached at deployment and rebuilt when the chain id differs (a fork of the chain).
        A signature is refused when `s` is in the upper half of the curve's order (EIP-2), and when
        recovery yields the zero address: an unset owner must never look like a signer.
"""

DOMAIN_TYPE: constant(bytes32) = keccak256(
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
HALF_ORDER: constant(bytes32) = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0  # secp256k1, n // 2

NAME_HASH: immutable(bytes32)
VERSION_HASH: immutable(bytes32)
CHAIN_ID: immutable(uint256)
DOMAIN: immutable(bytes32)


@deploy
def __init__(name_hash: bytes32, version_hash: bytes32):
    NAME_HASH = name_hash
    VERSION_HASH = version_hash
    CHAIN_ID = chain.id
    DOMAIN = keccak256(abi_encode(DOMAIN_TYPE, name_hash, version_hash, chain.id, self))


@internal
@view
def domain() -> bytes32:
    if chain.id == CHAIN_ID:
        return DOMAIN
    return keccak256(abi_encode(DOMAIN_TYPE, NAME_HASH, VERSION_HASH, chain.id, self))


@internal
@view
def digest(struct_hash: bytes32) -> bytes32:
    return keccak256(concat(x"1901", self.domain(), struct_hash))


@internal
@view
def check(signer: address, struct_hash: bytes32, v: uint8, r: bytes32, s: bytes32):
    """
    @notice Passes only when `signer` signed `struct_hash` under this contract's domain.
    """
    assert convert(s, uint256) <= convert(HALF_ORDER, uint256), "signed.high_s"
    recovered: address = ecrecover(self.digest(struct_hash), v, r, s)
    assert recovered != empty(address) and recovered == signer, "signed.wrong_signer"

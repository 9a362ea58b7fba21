# pragma version 0.4.3
"""
@title  Signatures of any wallet: keys that sign, and contracts that say yes (ERC-1271)
@dev    An address with code answers for itself, whatever the signature's length; one without must have signed, with
        65 bytes r || s || v and `s` in the lower half of the curve's order (EIP-2). The question is a static call, so
        a wallet that is asked can change nothing.
"""

SIGNATURE_MAX: constant(uint256) = 1024  # [bytes]
YES: constant(bytes32) = 0x1626ba7e00000000000000000000000000000000000000000000000000000000  # ERC-1271
HALF_ORDER: constant(bytes32) = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0  # secp256k1, n // 2


@internal
@view
def check(signer: address, digest: bytes32, signature: Bytes[SIGNATURE_MAX]):
    """
    @notice Passes only when `signer` signed `digest`, or is a contract that says so.
    """
    if signer.is_contract:
        self.ask(signer, digest, signature)
    else:
        assert len(signature) == 65, "signed.length"
        r: bytes32 = convert(slice(signature, 0, 32), bytes32)
        s: bytes32 = convert(slice(signature, 32, 32), bytes32)
        self.recover(signer, digest, convert(slice(signature, 64, 1), uint8), r, s)


@internal
@view
def check_parts(signer: address, digest: bytes32, v: uint8, r: bytes32, s: bytes32):
    """
    @notice The same for a signature that comes as (v, r, s); a contract is handed r || s || v.
    """
    if signer.is_contract:
        self.ask(signer, digest, concat(r, s, convert(v, bytes1)))
    else:
        self.recover(signer, digest, v, r, s)


@internal
@view
def recover(signer: address, digest: bytes32, v: uint8, r: bytes32, s: bytes32):
    """
    @notice Passes only when the key of `signer` signed `digest`.
    """
    assert convert(s, uint256) <= convert(HALF_ORDER, uint256), "signed.high_s"
    recovered: address = ecrecover(digest, v, r, s)
    assert recovered != empty(address) and recovered == signer, "signed.wrong_signer"


@internal
@view
def ask(wallet: address, digest: bytes32, signature: Bytes[SIGNATURE_MAX]):
    """
    @notice Passes only when the contract `wallet` says yes (ERC-1271).
    """
    said: bool = False
    answer: Bytes[32] = b""
    said, answer = raw_call(
        wallet,
        abi_encode(digest, signature, method_id=method_id("isValidSignature(bytes32,bytes)")),
        max_outsize=32,
        is_static_call=True,
        revert_on_failure=False,
    )
    assert said and len(answer) == 32 and convert(answer, bytes32) == YES, "signed.wrong_signer"


@internal
@view
def read(place: uint256) -> Bytes[SIGNATURE_MAX]:
    """
    @notice The ABI's `bytes` whose length word stands at `place` of the call data.
    """
    size: uint256 = convert(slice(msg.data, place, 32), uint256)
    assert size <= SIGNATURE_MAX, "signed.length"
    found: Bytes[SIGNATURE_MAX] = b""
    for i: uint256 in range(SIGNATURE_MAX // 32):
        if 32 * i >= size:
            break
        word: Bytes[32] = slice(msg.data, place + 32 + 32 * i, 32)
        found = convert(slice(concat(found, word), 0, min(size, 32 * i + 32)), Bytes[SIGNATURE_MAX])
    return found

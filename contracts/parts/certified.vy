# pragma version 0.4.3
"""
@title  What one certificate says, and the id that follows from it
@dev    All that moves a certificate's price is in the id, so units of one id are alike.
        Texts are ASCII, padded on the right with zero bytes, at most 32 of them.
"""

struct Properties:
    zone: bytes32
    interval_start: uint64  # [s]
    interval_s: uint32
    technology: bytes32
    assurance: uint8  # 0 is the best
    commissioned_month: uint32  # yyyymm
    carbon_mg_per_kwh: uint64
    support: bytes32
    stored: bool


@internal
@pure
def id_of(properties: Properties) -> uint256:
    return convert(keccak256(abi_encode(properties)), uint256)

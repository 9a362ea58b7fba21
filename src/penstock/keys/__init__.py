"""Keys as values: those we sign with (Ed25519, secp256k1), and every kind of key whose signatures we check.

Pure: a key comes from a seed that the caller supplies; nothing here draws random numbers.

What a valid signature is, on every path (`verify_by`, `verify_many`, `verify`):

* Ed25519: the equation of RFC 8032, 5.1.7 without cofactor, ``S`` below the group's order, the key written in its one
  way and not of small order. Under a key of small order anybody can sign anything.
* ECDSA as ``r || s``, our own form: ``s`` in the lower half of the order. From ``(r, s)`` anyone makes ``(r, n - s)``;
  taking one of the two keeps whoever carries a message from changing its hash.
* ECDSA in DER, and recovered to an address: other people's forms, whose signers write either ``s``; strict DER.
* A public point is written compressed (SEC 1, 2.3.3).
"""

from penstock.keys.check import (
    compressed_point,
    is_public_key,
    recover,
    verify,
    verify_by,
    verify_many,
)
from penstock.keys.kinds import KEY_BYTES, KEY_KINDS, KeyKind, Scheme
from penstock.keys.private import SEED_BYTES, ChainKey, PointKey, SigningKey, derive_seed
from penstock.keys.written import WRITTEN_MAX, read_key

__all__ = [
    "KEY_BYTES",
    "KEY_KINDS",
    "SEED_BYTES",
    "WRITTEN_MAX",
    "ChainKey",
    "KeyKind",
    "PointKey",
    "Scheme",
    "SigningKey",
    "compressed_point",
    "derive_seed",
    "is_public_key",
    "read_key",
    "recover",
    "verify",
    "verify_by",
    "verify_many",
]

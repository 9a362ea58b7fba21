"""A wallet's consent to stand for an account: a text that it signs as wallets sign texts.

Source: ERC-191 (version 0x45, ``personal_sign``).
"""

from __future__ import annotations

from eth_utils.address import to_checksum_address

from penstock.errors import Invalid, Unverified
from penstock.keys import KeyKind, Scheme, verify_by

WALLET_BYTES = 20


def consent_text(origin: str, account: str, wallet: bytes) -> str:
    """What the wallet signs; ``origin`` names the registry's log, so that a consent holds in one registry alone."""
    return f"{origin}\nThe wallet {to_checksum_address(wallet)} stands for the account {account}."


def signed_bytes(text: str) -> bytes:
    """The bytes whose keccak256 a wallet signs for a text."""
    said = text.encode()
    return f"\x19Ethereum Signed Message:\n{len(said)}".encode() + said


def check_consent(origin: str, account: str, wallet: bytes, signature: bytes) -> None:
    """That the wallet itself consents; ``signature`` is r || s || v with v 0, 1, 27 or 28.

    Raises:
        Invalid: ``wallet.form`` unless the wallet has 20 bytes. Unverified: ``wallet.signature``.
    """
    if len(wallet) != WALLET_BYTES:
        raise Invalid("wallet.form", "A wallet's address has 20 bytes.")
    plain = (
        signature[:64] + bytes([signature[64] % 27])
        if len(signature) == 65 and signature[64] in (27, 28)
        else signature
    )
    message = signed_bytes(consent_text(origin, account, wallet))
    if not verify_by(KeyKind.ETH_ADDRESS, wallet, Scheme.ETH_KECCAK_RSV, message, plain):
        raise Unverified("wallet.signature", "The wallet did not sign this.", account=account)

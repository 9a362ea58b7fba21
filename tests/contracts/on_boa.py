"""Contracts on titanoboa, called raw: a refusal costs no stack trace, so machines of many steps stay quick."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import boa
from eth_abi.abi import decode
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

SOURCES = Path(__file__).resolve().parents[2] / "contracts"
REASON = bytes.fromhex("08c379a0")


class Refusal(Exception):
    """The reason a contract or its twin says no."""


def account(role: str) -> LocalAccount:
    """The account of a role."""
    made: LocalAccount = Account.from_key(keccak(text=f"boa/{role}"))
    return made


def source(name: str) -> Any:
    """A contract of the repository, or of the tests' own folder, compiled as it is shipped."""
    return _compiled(SOURCES / f"{name}.vy")


@cache
def _compiled(path: Path) -> Any:
    boa.interpret.set_search_paths([str(SOURCES)])
    return boa.load_partial(str(path))


def inline(text: str) -> Any:
    """A small contract written in a test."""
    return boa.loads_partial(text)


def send(contract: Any, act: str, *args: Any, sender: str) -> bytes:
    """Call ``act``; the bytes returned. Raises ``Refusal`` with the contract's reason, and nothing has changed."""
    data = getattr(contract, act).prepare_calldata(*args)
    done = boa.env.execute_code(to_address=contract.address, sender=sender, data=data)
    if done.is_error:
        raise Refusal(_reason(done.output))
    return bytes(done.output)


def reason(contract: Any, act: str, *args: Any, sender: str) -> str:
    """Why ``act`` is refused; empty when it is not, and then it is done."""
    try:
        send(contract, act, *args, sender=sender)
    except Refusal as refusal:
        return str(refusal)
    return ""


def now() -> int:
    """The chain's clock [s]."""
    return int(boa.env.evm.patch.timestamp)


def set_now(at_s: int) -> None:
    """Set the chain's clock [s]."""
    boa.env.evm.patch.timestamp = at_s


def _reason(output: bytes) -> str:
    return str(decode(["string"], output[4:])[0]) if output[:4] == REASON else "bare revert"

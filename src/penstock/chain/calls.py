"""Calls without a signature: answer them, name why they revert, and find gas enough to run with."""

from __future__ import annotations

from typing import Final

from eth_abi.abi import decode as abi_decode
from eth_abi.exceptions import DecodingError

from penstock.chain.evm import Outcome
from penstock.chain.header import Header
from penstock.chain.node import COINBASE, Node
from penstock.chain.rpc_params import CallParams
from penstock.chain.tx import LEGACY, Tx
from penstock.errors import Refused

TOLERANCE: Final = 64
_ERROR: Final = bytes.fromhex("08c379a0")  # Error(string)
_PANIC: Final = bytes.fromhex("4e487b71")  # Panic(uint256)
_PANICS: Final = {
    0x01: "assert(false)",
    0x11: "arithmetic underflow or overflow",
    0x12: "division or modulo by zero",
    0x32: "array out-of-bounds access",
}


def answer(node: Node, params: CallParams, header: Header) -> bytes:
    """What the call returns on the state after block ``header``.

    Raises:
        Refused: ``chain.reverted`` (with its data), ``chain.call_failed``, or as `Execution.apply`.
    """
    return _succeeded(_run(node, params, header, header.state_root, params.gas or header.gas_limit)).output


def enough_gas(node: Node, params: CallParams, header: Header) -> int:
    """A gas limit with which the call succeeds, on top of block ``header`` in the next block's environment.

    By execution alone: a first run with all the gas says what it peaks at. That much suffices unless a callee, which
    sees only 63/64 of what is left, needs more: then bisection closes in to within 1/64 above the least.

    Raises:
        Refused: as `answer`.
    """
    draft = node.next_header() if header.hash == node.head.hash else header.child(header.at_s, COINBASE)
    cap = min(params.gas or header.gas_limit, header.gas_limit)
    first = _succeeded(_run(node, params, draft, header.state_root, cap))
    high = low = max(first.gas_peak, first.gas_used)
    while high < cap and _fails(node, params, draft, header.state_root, high):
        low, high = high, min(high + high // 32 + 2_300, cap)
    while high - low > high // TOLERANCE:
        middle = (low + high) // 2
        if _fails(node, params, draft, header.state_root, middle):
            low = middle
        else:
            high = middle
    return high


def _fails(node: Node, params: CallParams, draft: Header, root: bytes, gas: int) -> bool:
    try:
        return bool(_run(node, params, draft, root, gas).fault)
    except Refused:
        return True


def _run(node: Node, params: CallParams, header: Header, root: bytes, gas: int) -> Outcome:
    with node.lock:
        nonce, balance = node.account_at(params.sender, root)
        nonce = nonce if params.nonce is None else params.nonce
        if params.value > balance:
            raise Refused("chain.insufficient_funds", "insufficient funds for gas * price + value")
        tx = Tx(
            params.sender, nonce, min(gas, header.gas_limit), params.to, params.value, params.data, LEGACY,
            access_list=params.access_list,
        )  # fmt: skip
        return node.call(tx, header, root)


def _succeeded(outcome: Outcome) -> Outcome:
    if outcome.reverted:
        reason = revert_reason(outcome.output)
        message = f"execution reverted: {reason}" if reason else "execution reverted"
        raise Refused("chain.reverted", message, data="0x" + outcome.output.hex())
    if outcome.fault:
        raise Refused("chain.call_failed", _fault(outcome.fault))
    return outcome


def revert_reason(output: bytes) -> str:
    """The text of an ``Error(string)``, the meaning of a ``Panic(uint256)``, else nothing."""
    try:
        if output[:4] == _ERROR:
            return str(abi_decode(["string"], output[4:])[0])
        if output[:4] == _PANIC:
            (code,) = abi_decode(["uint256"], output[4:])
            return f"panic: {_PANICS.get(code, 'unknown panic')} (0x{code:02x})"
    except (DecodingError, UnicodeDecodeError, OverflowError):
        return ""
    return ""


def _fault(fault: str) -> str:
    """The engine's words, in those wallets know where there are such."""
    return "out of gas" if "gas" in fault.lower() else fault

"""Consent: what holders may change of a deal, whether it would take the change, and what is recorded of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from penstock.capital.compile import COMPILER, compile_deal
from penstock.capital.deal import Deal
from penstock.capital.edition import amend, replace_payee, waive
from penstock.capital.language import load_deal
from penstock.capital.program import Program
from penstock.errors import Invalid, NotFound, Refused
from penstock.journal.fact import Entry, FactBody
from penstock.journal.kinds.servicing import DealAmended, PayeeReplaced, TestWaived
from penstock.usecases.ballot import KINDS
from penstock.usecases.originate import recompile
from penstock.usecases.world import World

_HASHED: Final = {
    "amendment": ("bytes32", "address", "bytes32", "bytes32"),
    "waiver": ("uint256", "uint256"),
    "replacement": ("uint256", "address"),
}


@dataclass(frozen=True, slots=True)
class Amendment:
    """Another text for the deal."""

    text: str


@dataclass(frozen=True, slots=True)
class Waiver:
    """A test asks for nothing in all periods up to number ``through_period``, counting from 1; 0 ends a waiver."""

    test: str
    through_period: int


@dataclass(frozen=True, slots=True)
class Replacement:
    """What is paid to a fee's payee goes to another account on chain (20 bytes)."""

    payee: str
    account: bytes


Change = Amendment | Waiver | Replacement


def note_hash(note: str) -> bytes:
    """The digest that stands on chain for why a change is asked for. Raises Invalid ``vote.no_note``."""
    if not note.strip():
        raise Invalid("vote.no_note", "A change needs a reason.", hint="Say in a sentence what it is for.")
    return keccak(text=note)


def consent(world: World, name: str, proposal: int, change: Change, note: str) -> list[Entry]:
    """What is recorded of a change that was carried out; the books refuse whatever the contract would.

    Raises:
        NotFound: ``deal.unknown``, ``deal.no_test``, ``deal.no_payee``. As `check`.
    """
    check(world, name, change)
    return [Entry(_fact(world, name, proposal, change, note))]


def check(world: World, name: str, change: Change) -> None:
    """That the deal would take the change as it stands now.

    Raises:
        Invalid: ``deal.malformed``, for a text with mistakes. Refused: ``vote.other_names`` for one that names other
            accounts, payees or tranches; ``deal.layout``, ``deal.dates``, ``deal.waiver``, ``deal.not_replaceable``.
        NotFound: ``deal.unknown``, ``deal.no_test``, ``deal.no_payee``.
    """
    record = world.capital.deal(name)
    deal, program = recompile(record.originated)
    match change:
        case Amendment(text):
            amended, new = compiled(text)
            _same_names(deal, amended)
            amend(record.state, (program.code, program.rows), (new.code, new.rows))
        case Waiver(test, through_period):
            waive(record.state, test_number(deal, test), through_period)
        case Replacement(payee, _):
            replace_payee(program.code, record.state, lane_of(program, payee))


def compiled(text: str) -> tuple[Deal, Program]:
    """A text read and compiled. Raises as `load_deal` and `compile_deal`."""
    deal = load_deal(text)
    return deal, compile_deal(deal)


def _same_names(old: Deal, new: Deal) -> None:
    """Ledger, registers and tranches on chain bear these names for good."""

    def names(deal: Deal) -> tuple[tuple[str, ...], ...]:
        return tuple(one.name for one in deal.accounts), deal.payees, tuple(one.name for one in deal.tranches)

    if names(old) != names(new):
        hint = "Keep accounts, fees, hedges and tranches as they are named, and in order; change their terms."
        raise Refused("vote.other_names", "The amended text names other accounts or payees.", hint=hint)


def test_number(deal: Deal, test: str) -> int:
    """A test's number on chain, from 1. Raises NotFound ``deal.no_test``."""
    names = [one.name for one in deal.tests]
    if test not in names:
        raise NotFound("deal.no_test", f"The deal has no test {test}.", hint="Name one of its tests.", tests=names)
    return names.index(test) + 1


def lane_of(program: Program, payee: str) -> int:
    """A payee's lane. Raises NotFound ``deal.no_payee``."""
    if payee not in program.payee_lanes:
        known = list(program.payee_lanes)
        raise NotFound("deal.no_payee", f"The deal pays no {payee}.", hint="Name one of its payees.", payees=known)
    return program.payee_lanes[payee]


def _fact(world: World, name: str, proposal: int, change: Change, note: str) -> FactBody:
    record = world.capital.deal(name)
    match change:
        case Amendment(text):
            program = compiled(text)[1]
            new = (text, program.deal_hash, program.code, program.program_hash, program.rows, COMPILER)
            return DealAmended(name, record.state.period, *new, proposal, note)
        case Waiver(test, through_period):
            return TestWaived(name, test, through_period, proposal, note)
        case Replacement(payee, account):
            lane = lane_of(recompile(record.originated)[1], payee)
            return PayeeReplaced(name, payee, lane, account, proposal, note)


def payload_hash(in_force: Program, kind: str, *words: Any) -> bytes:
    """What the ballot hashes: the kind of change, the deal's hash in force, then

    - an amendment's program hash, schedule's address and its code's hash (zeros for none), and deal's hash;
    - a waiver's test number and last period; a replacement's lane and account.
    """
    return keccak(encode(("uint256", "bytes32", *_HASHED[kind]), (KINDS.index(kind), in_force.deal_hash, *words)))

"""Originate: a deal file becomes a compiled deal with its accounts, its registers and its pledged assets."""

from __future__ import annotations

import re
from typing import Final

from penstock.capital.compile import COMPILER, compile_deal
from penstock.capital.deal import Deal
from penstock.capital.language import load_deal
from penstock.capital.measure import check_measures
from penstock.capital.program import Program
from penstock.errors import Conflict, Invalid
from penstock.journal.fact import Entry, FactBody
from penstock.journal.kinds.capital import DealOriginated
from penstock.journal.kinds.ledger import AccountOpened, RegisterOpened
from penstock.journal.kinds.servicing import DealAmended
from penstock.journal.words import RegisterKind, Unit
from penstock.usecases.servicing.pledge import check_pledge
from penstock.usecases.world import World

_NAME: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")


def account_of(deal: str, account: str) -> str:
    """The ledger's name, and the register's, of a deal's cash account."""
    return f"{deal}/{account}"


def paid_to(deal: str, payee: str) -> str:
    """The name, in ledger and registers, of what a deal paid a payee: dollars that wait in the deal until pulled."""
    return f"{deal}/paid/{payee}"


def originate(world: World, name: str, text: str, assets: tuple[str, ...]) -> list[Entry]:
    """Compile ``text`` and record the deal under ``name``, with ``assets`` pledged to it alone.

    Raises:
        Invalid: ``deal.name``, ``deal.malformed`` with every mistake and its line.
        Refused: for what the chain cannot hold.
        Conflict: ``deal.known``, ``deal.pledged_twice``, ``deal.sold_forward``. As `check_measures`.
    """
    if not _NAME.fullmatch(name):
        hint = "Write letters and figures, with dots, dashes or underscores between them, 64 at most."
        raise Invalid("deal.name", "This is no name for a deal.", hint=hint)
    deal = load_deal(text)
    check_measures(deal)
    program = compile_deal(deal)
    _check_new(world, name, assets)
    originated = DealOriginated(
        deal=name,
        text=text,
        deal_hash=program.deal_hash,
        program=program.code,
        program_hash=program.program_hash,
        schedule=program.rows,
        compiler=COMPILER,
        assets=assets,
    )
    return [Entry(fact) for fact in (*_addresses(name, deal), originated)]


def recompile(originated: DealOriginated | DealAmended) -> tuple[Deal, Program]:
    """The deal and program that a recorded deal's text compiles to; for whoever does not take its word for it."""
    deal = load_deal(originated.text)
    return deal, compile_deal(deal)


def _addresses(name: str, deal: Deal) -> list[FactBody]:
    names = [account_of(name, account.name) for account in deal.accounts]
    names += [paid_to(name, payee) for payee in deal.payees]
    opened: list[FactBody] = [AccountOpened(one) for one in names]
    opened += [RegisterOpened(one, Unit.USDC_MICRO, RegisterKind.COUNTED) for one in names]
    return opened


def _check_new(world: World, name: str, assets: tuple[str, ...]) -> None:
    if name in world.capital.deals:
        raise Conflict("deal.known", "A deal of this name is originated already.", deal=name)
    check_pledge(world, assets)

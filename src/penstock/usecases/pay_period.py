"""Pay a period: what the quorum attested is recorded, the waterfall runs on chain and exactly, payees pull.

Every act bears the deal's and the period's number as its key, so whatever dies in between is taken up again.
"""

from __future__ import annotations

from dataclasses import dataclass

from penstock.capital.exact import close_period, unpaid
from penstock.capital.program import Program
from penstock.capital.report import Report, page_subject
from penstock.errors import Corrupt, Refused
from penstock.journal.fact import Entry
from penstock.journal.kinds.ledger import CheckpointSigned
from penstock.usecases.accepted import attested
from penstock.usecases.chain_desk import ChainDesk
from penstock.usecases.close import pull
from penstock.usecases.follow import follow, record_closing
from penstock.usecases.launch import tranche_contract
from penstock.usecases.originate import recompile
from penstock.usecases.withdraw import tranche_account
from penstock.usecases.workspace import Workspace


@dataclass(frozen=True, slots=True)
class DealPeriod:
    """A period of a deal to pay: its number, from 0, and the instant its facts bear [us]."""

    deal: str
    program: Program
    number: int
    at_us: int

    def key(self, act: str) -> str:
        """The key of one act on this period."""
        return f"{act}:{self.deal}:{self.number}"


def accepted_report(desk: ChainDesk, deal: str, pages: int = 1) -> Report:
    """The latest report of a deal that a quorum signed, as the chain holds it; nothing but zeros before the first."""
    subjects = [page_subject(desk.contract(deal).address, page) for page in range(pages)]
    return Report.from_words([desk.view("Anchor", "report", subject) for subject in subjects])


def record_report(workspace: Workspace, desk: ChainDesk, period: DealPeriod, checkpoint: CheckpointSigned) -> None:
    """Record the accepted report of a period; ``checkpoint`` is the anchored one it was computed from."""
    report = accepted_report(desk, period.deal, period.program.pages)
    fact = attested(desk, period.deal, period.number, report, checkpoint.size, checkpoint.root)
    workspace.submit(period.key("report"), b"", period.at_us, lambda _: [Entry(fact)])


def close_on_chain(workspace: Workspace, desk: ChainDesk, period: DealPeriod) -> None:
    """Close a period on chain, run the same program exactly, compare every word of both, record it.

    What others did to the deal on chain is recorded first; the program is the one in force by then.

    Raises:
        Corrupt: ``deal.chain_differs``. Refused: ``chain.act_refused``, ``deal.period_open``, ``deal.report_awaited``.
    """
    deal, key = period.deal, period.key("close")
    follow(workspace, desk, deal, period.at_us)
    if workspace.store.receipt(key) is not None:
        return
    record = workspace.read(lambda world: world.capital.deal(deal))
    program = recompile(record.originated)[1]
    balance = desk.view("Dollar", "balanceOf", desk.contract(deal).address)
    report = accepted_report(desk, deal, program.pages)
    try:
        desk.act(desk.try_again(key), deal, "close")
    except Refused:
        follow(workspace, desk, deal, period.at_us)  # somebody else may have been faster
        if workspace.store.receipt(key) is None:
            raise
        return
    closing = close_period(program.code, record.state, report, balance, desk.client.head().at_s, program.rows)
    words = closing.state.words
    if tuple(desk.view(deal, "words", place) for place in range(len(words))) != words:
        raise Corrupt("deal.chain_differs", "The chain and the exact engine disagree on a closed period.", deal=deal)
    record_closing(workspace, deal, program, closing, period.at_us)


def pull_income(workspace: Workspace, desk: ChainDesk, period: DealPeriod, tranche: str, holders: int) -> None:
    """A tranche pulls its lane and accrues it to all its holders in one transaction; recorded once a period."""
    deal, program, key = period.deal, period.program, period.key(f"pull:{tranche}")
    if workspace.store.receipt(key) is not None:
        return
    lane = program.payee_lanes[tranche]
    follow(workspace, desk, deal, period.at_us)
    amount = workspace.read(lambda world: unpaid(world.capital.deal(deal).state, lane))
    if amount:
        desk.act(key, tranche_contract(deal, tranche), "pull")
    target = tranche_account(deal, tranche)
    workspace.submit(
        key,
        b"",
        period.at_us,
        lambda world: pull(world, deal, tranche, program, period.number, target, amount, holders),
    )

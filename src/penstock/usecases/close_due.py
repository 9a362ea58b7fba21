"""Close what is due: data anchored, the report awaited, dollars brought, the waterfall run, lanes pulled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from penstock.capital.decode import decode
from penstock.capital.exact import period_bounds
from penstock.errors import NotFound, Refused
from penstock.journal.kinds.ledger import CheckpointSigned
from penstock.keys import SigningKey
from penstock.period import SECOND_US, iso
from penstock.usecases.anchor import anchor_checkpoint, sign_checkpoint
from penstock.usecases.chain_desk import ChainDesk
from penstock.usecases.follow import follow
from penstock.usecases.launch import tranche_contract
from penstock.usecases.open_log import opening
from penstock.usecases.originate import account_of, paid_to, recompile
from penstock.usecases.pay_period import DealPeriod, accepted_report, close_on_chain, pull_income, record_report
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

Wait = Callable[[Callable[[], bool]], bool]
"""Asks until it is so, or patience is over; whether it was."""
PAID_OUT: Final = 2**64 - 1
"""The bits of a deal's first word that say what payees took."""
NOBODY: Final = "0x" + "00" * 20


@dataclass(frozen=True, slots=True)
class Closing:
    """What a close is asked to do: wait for a quorum, and whether to go ahead without one once the grace is over."""

    wait: Wait
    without_report: bool = False


def close_due(
    workspace: Workspace, desk: ChainDesk, log_key: SigningKey, name: str, asked: Closing, at_us: int
) -> dict[str, Any]:
    """Close the first open period of a deal; every act has its key, so whatever dies in between is taken up again.

    Raises:
        Refused: ``deal.period_open`` before its end; ``deal.data_awaited``, ``deal.report_awaited`` where it would have
            to close without a report and nobody asked for that, or its grace is not over. As `close_on_chain`.
    """
    follow(workspace, desk, name, at_us)
    record = workspace.read(lambda world: world.capital.deal(name))
    program = recompile(record.originated)[1]
    number = record.state.period
    stop_s = period_bounds(program.code, number, program.rows)[1]
    if at_us < stop_s * SECOND_US:
        hint = f"It ends at {iso(stop_s * SECOND_US)}."
        raise Refused("deal.period_open", f"Period {number + 1} has not ended.", hint=hint, deal=name)
    period = DealPeriod(name, program, number, at_us)
    reported = _reported(workspace, desk, log_key, period, stop_s, asked)
    bring(workspace, desk, name)
    close_on_chain(workspace, desk, period)
    deal = recompile(workspace.read(lambda world: world.capital.deal(name).originated))[0]
    for tranche in deal.tranches:
        holders = len(holders_of(desk, tranche_contract(name, tranche.name)))
        pull_income(workspace, desk, period, tranche.name, holders)
    closed = workspace.read(lambda world: world.capital.deal(name).closed[-1])
    return {
        "deal": name,
        "period": number + 1,
        "stop": iso(closed.stop_us),
        "state": closed.state,
        "reported": reported,
        "inflow_usdc_micro": closed.inflow_usdc_micro,
        "paid": [[one.source, one.target, one.usdc_micro] for one in closed.transfers],
    }


def _reported(
    workspace: Workspace, desk: ChainDesk, log_key: SigningKey, period: DealPeriod, stop_s: int, asked: Closing
) -> bool:
    """Whether the period closes on a report: anchored, voted on by a quorum, recorded."""
    name, number, program = period.deal, period.number, period.program
    over = period.at_us >= (stop_s + decode(program.code).layout.grace_s) * SECOND_US
    hint = (
        "Once its grace is over: --without-report. It then closes as stale." if over else "Its grace is not over yet."
    )
    if not workspace.read(lambda world: world.capital.ready.covers(name, number, world.books.size)):
        if over and asked.without_report:
            return False
        said = "Record its tape, its marks, what was served; see `penstock deal servicing`. "
        raise Refused("deal.data_awaited", f"The data of period {number + 1} are not complete.", hint=said + hint)
    checkpoint = _checkpoint(workspace, desk, log_key, period)
    accepted = asked.wait(lambda: accepted_report(desk, name, program.pages).as_of_s >= stop_s)
    if accepted_report(desk, name, program.pages).as_of_s == stop_s:
        record_report(workspace, desk, period, checkpoint)
        return True
    if not accepted and not (over and asked.without_report):
        said = "Run `penstock attest` for two attesters while this waits (--wait). "
        raise Refused("deal.report_awaited", "No quorum has reported this period yet.", hint=said + hint, deal=name)
    return False


def _checkpoint(workspace: Workspace, desk: ChainDesk, log_key: SigningKey, period: DealPeriod) -> CheckpointSigned:
    """The first checkpoint that covers the period's data, signed and anchored once."""
    opened = opening(workspace)
    if opened is None:
        raise NotFound("chain.none_here", "This journal does not say what it is called.")
    checkpoint = sign_checkpoint(workspace, period.key("checkpoint"), opened.origin, log_key, period.at_us)
    anchor_checkpoint(workspace, desk, checkpoint, period.at_us)
    return checkpoint


def bring(workspace: Workspace, desk: ChainDesk, name: str) -> int:
    """Bring the dollars that the record says a deal received to its address, from the operator's own [micro-dollars].

    On a chain of one's own the operator mints the dollars it lacks. What lies there already counts, whoever sent it.
    """
    told = workspace.read(lambda world: _came_in(world, name))
    at = desk.contract(name).address
    missing = told - int(desk.view("Dollar", "balanceOf", at)) - (int(desk.view(name, "words", 0)) & PAID_OUT)
    if missing <= 0:
        return 0
    own = int(desk.view("Dollar", "balanceOf", desk.address))
    act = f"bring:{name}:{told}:{missing}:{desk.client.head().number}"
    desk.act(act, "Dollar", *(("transfer", at, missing) if own >= missing else ("mint", at, missing)))
    return missing


def _came_in(world: World, name: str) -> int:
    """All dollars that ever reached a deal, by the ledger: they do not change where somebody pulls meanwhile."""
    record = world.capital.deal(name)
    deal = recompile(record.originated)[0]
    own = [account_of(name, one.name) for one in deal.accounts] + [paid_to(name, payee) for payee in deal.payees]
    held = sum(world.books.ledger.balance(world.books.accounts.id_of(one)) for one in own)
    return held + record.state.paid_out


def holders_of(desk: ChainDesk, tranche: str) -> dict[str, int]:
    """Who holds shares of a tranche on chain, and how many."""
    shares: dict[str, int] = {}
    for one in desk.history(tranche):
        if one.event == "Transfer":
            for account, moved in ((one.said["sender"], -one.said["value"]), (one.said["receiver"], one.said["value"])):
                shares[account] = shares.get(account, 0) + moved
    return {account: held for account, held in shares.items() if held > 0 and account != NOBODY}

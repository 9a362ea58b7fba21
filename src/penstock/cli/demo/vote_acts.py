"""The stage where holders vote: enough of the senior class to hand the servicing over to the back-up servicer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from penstock.chain.artefact import call_data
from penstock.cli.demo.capital_acts import deal_of, shares_of
from penstock.cli.demo.cast import Holder
from penstock.cli.demo.play import DEAL, OPERATOR, SERVICER, Stagehand
from penstock.cli.demo.pool_acts import BACKUP
from penstock.cli.demo.together import send_together
from penstock.journal.kinds.servicing import DealRole, PayeeReplaced
from penstock.period import SECOND_US
from penstock.usecases.ballot import DELAY_S, WHOLE_BP, ballot_contract
from penstock.usecases.consent import Replacement
from penstock.usecases.servicing.appoint import appoint
from penstock.usecases.vote import carry_out, proposals, propose

NOTE: Final = "The back-up servicer takes over the servicing."
CLASS: Final = "A"
_FIRST: Final = 1


def vote(hand: Stagehand) -> dict[str, Any]:
    """Holders of the senior class vote for another servicer; the delay passes; anyone carries it out."""
    deal, _ = deal_of(hand)
    rule = next((one for one in deal.votes if one.kind == "replacement"), None)
    if rule is None or rule.classes != (CLASS,):
        return {"voters": 0}
    change = Replacement(SERVICER, hand.cast.chain_key(BACKUP).address)
    number = _FIRST
    if not hand.recorded(f"proposed:{DEAL}:{number}"):
        number = propose(hand.workspace, hand.desk, DEAL, change, NOTE, hand.days[-1].start_us - DELAY_S * SECOND_US)
    share_bp = -(-rule.share.numerator * WHOLE_BP // rule.share.denominator)
    voters = _voters(hand, share_bp)
    if not hand.recorded(_key(number)):
        _cast(hand, number, deal.tranches.index(next(one for one in deal.tranches if one.name == CLASS)), voters)
        hand.clock.catch_up()
        carry_out(hand.workspace, hand.desk, DEAL, number, change, NOTE, hand.days[-1].start_us)
    _hand_over(hand)
    return _figures(hand, number, share_bp, len(voters))


def _key(number: int) -> str:
    return f"voted:{DEAL}:{number}"


def _voters(hand: Stagehand, share_bp: int) -> list[Holder]:
    """As few holders as have the share that is needed, largest first."""
    shares = shares_of(hand, CLASS)
    needed = -(-sum(shares.values()) * share_bp // WHOLE_BP)
    by_name = {holder.name: holder for holder in hand.holders}
    found: list[Holder] = []
    for name in sorted(shares, key=lambda one: (-shares[one], one)):
        if needed <= 0:
            break
        found.append(by_name[name])
        needed -= shares[name]
    return found


def _cast(hand: Stagehand, number: int, at: int, voters: Sequence[Holder]) -> None:
    """Each holder's own transaction; who voted before it was interrupted does not vote again."""
    contract = hand.desk.contract(ballot_contract(DEAL))
    voted = {event["holder"].lower() for event in hand.desk.events(ballot_contract(DEAL), "Voted")}
    waiting = [one for one in voters if f"0x{one.key.address.hex()}" not in voted]
    send_together(hand, "voting", waiting, contract.address, call_data(contract.artefact, "vote", number, at, True))


def _hand_over(hand: Stagehand) -> None:
    hand.workspace.submit(
        "appoint:successor",
        b"",
        hand.days[-1].start_us,
        lambda world: appoint(world, DEAL, DealRole.SERVICER, BACKUP, NOTE, by=OPERATOR),
    )


def _figures(hand: Stagehand, number: int, share_bp: int, voters: int) -> dict[str, Any]:
    row = proposals(hand.desk, DEAL)[number - 1]
    (replaced,) = [one.recorded.fact for one in hand.workspace.facts() if isinstance(one.recorded.fact, PayeeReplaced)]
    supply = sum(shares_of(hand, CLASS).values())
    return {
        "ballot": "0x" + hand.desk.contract(ballot_contract(DEAL)).address.hex(),
        "proposal": number,
        "class": CLASS,
        "voters": voters,
        "holders": hand.settings.size.holders_of(CLASS),
        "yes_shares": row["classes"][0]["yes"],
        "supply_shares": supply,
        "needed_bp": share_bp,
        "delay_hours": DELAY_S // 3_600,
        "state": row["state"],
        "payee": replaced.payee,
        "successor": BACKUP,
        "account": "0x" + replaced.account.hex(),
        "note": NOTE,
    }

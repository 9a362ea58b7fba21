"""Follow: what anybody did to a deal on chain - closed a period, pulled a lane, carried out a vote - is recorded here.

The journal's own state says what it knows already, so there is no cursor to lose: events are walked in the chain's
order, and each that the journal lacks becomes the fact it would have been had it been done from here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from penstock.capital.compile import COMPILER
from penstock.capital.deal_book import DealRecord
from penstock.capital.decode import COLLECT
from penstock.capital.exact import Closing, close_period, period_bounds
from penstock.capital.program import Program
from penstock.capital.report import Report
from penstock.errors import Corrupt, Refused
from penstock.journal.fact import Entry, FactBody
from penstock.journal.kinds.capital import CollectionReceived, IncomePulled
from penstock.journal.kinds.ledger import AccountOpened, Transfer
from penstock.journal.kinds.servicing import DealAmended, PayeeReplaced, TestWaived
from penstock.usecases.accepted import accepted_from, attested
from penstock.usecases.ballot import ballot_contract
from penstock.usecases.chain_desk import ChainDesk, Happened
from penstock.usecases.close import close
from penstock.usecases.consent import compiled
from penstock.usecases.originate import account_of, paid_to, recompile
from penstock.usecases.withdraw import WALLETS, tranche_account
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

UNNAMED: Final = "unnamed"
"""The world outside from which dollars reached a deal that no collection accounts for: an external account."""
_OUTSIDE: Final = (UNNAMED, WALLETS)
LONG_AFTER_S: Final = 2**40


@dataclass(slots=True)
class Seen:
    """Events of a deal so far, as far as they say which ones the journal knows."""

    pages: list[int] = field(default_factory=list)
    proposal: int = 0
    changes: dict[str, int] = field(default_factory=dict)
    withdrawn: dict[int, int] = field(default_factory=dict)
    former: list[tuple[bytes, int, int]] = field(default_factory=list)
    """Of lanes that were handed on, and whose former payee has not come: who it is, the lane, what it owes still."""
    owed: list[int] = field(default_factory=list)
    """Of every lane that was handed on, in order: what it owed."""

    def add(self, lane: int, amount: int) -> None:
        self.withdrawn[lane] = self.withdrawn.get(lane, 0) + amount

    def hand_on(self, former: bytes, lane: int, owed: int) -> None:
        self.add(lane, owed)
        self.former.append((former, lane, owed))
        self.owed.append(owed)

    def settle(self, former: bytes) -> list[tuple[int, int]]:
        """Lanes and amounts that a former payee takes, all at once."""
        taken = [(lane, owed) for who, lane, owed in self.former if who == former and owed]
        self.former = [one for one in self.former if one[0] != former]
        return taken

    def next_of(self, event: str) -> int:
        """Count one more change of this kind; which it is, from 1."""
        self.changes[event] = self.changes.get(event, 0) + 1
        return self.changes[event]


@dataclass(frozen=True, slots=True)
class Follower:
    """Brings one deal's journal up to what its chain says."""

    workspace: Workspace
    desk: ChainDesk
    deal: str
    at_us: int

    def record(self) -> DealRecord:
        return self.workspace.read(lambda world: world.capital.deal(self.deal))

    def program(self) -> Program:
        return recompile(self.record().originated)[1]

    def tell(self, key: str, *facts: FactBody) -> None:
        self.workspace.submit(f"{key}:{self.deal}", b"", self.at_us, lambda world: opened(world, facts))

    def closed(self, said: dict[str, int], pages: list[int]) -> None:
        """A period that somebody closed: what the event says it rested on leads to the same words here, or nowhere."""
        record = self.record()
        if said["period"] < record.state.period:
            return
        program = self.program()
        if said["fresh"] and said["period"] not in record.reports:
            self._report(said, pages)
        report = Report.from_words([said["report"], *pages]) if said["fresh"] else Report.missing()
        balance = record.state.taken_in + said["inflow"] - record.state.paid_out
        now_s = 0 if said["fresh"] else LONG_AFTER_S
        closing = _closing(program, record, report, balance, now_s)
        if (closing.flags, closing.inflow, closing.period) != (said["flags"], said["inflow"], said["period"]):
            sentence = "The chain closed a period otherwise than the exact engine."
            raise Corrupt("deal.chain_differs", sentence, deal=self.deal)
        record_closing(self.workspace, self.deal, program, closing, self.at_us)

    def _report(self, said: dict[str, int], pages: list[int]) -> None:
        """The report it rested on, which nobody here recorded before the close."""
        size = accepted_from(self.desk, self.deal, said["report"])
        report = Report.from_words([said["report"], *pages])
        fact = attested(self.desk, self.deal, said["period"], report, size, self.workspace.tree().root(size))
        self.tell(f"reported:{said['period']}", fact)

    def pulled(self, lane: int, amount: int, payee: bytes, seen: Seen) -> None:
        """A payee took its lane's dollars, or what a lane that was handed on still owed it."""
        record = self.record()
        seen.add(lane, amount)
        if not lane:
            parts = seen.settle(payee)
            known = sum(seen.owed[: len(record.replaced)]) - record.state.former_usdc_micro
            if seen.withdrawn[0] > known:
                self._income(0, parts, seen)
        elif seen.withdrawn[lane] > record.state.withdrawn[lane - record.state.paid]:
            self._income(lane, [(lane, amount)], seen)

    def _income(self, lane: int, taken: Sequence[tuple[int, int]], seen: Seen) -> None:
        names = {own: name for name, own in self.program().payee_lanes.items()}
        parts = [(names[own], amount) for own, amount in taken]
        name = parts[0][0]
        tranche = f"{self.deal}/{name}" in self.record().contracts
        target = tranche_account(self.deal, name) if tranche else WALLETS
        purpose = f"period {self.record().state.period}"
        moved = tuple(Transfer(paid_to(self.deal, one), target, part, purpose) for one, part in parts)
        period = max(0, self.record().state.period - 1)
        fact = IncomePulled(self.deal, name, lane, period, 0 if tranche else 1, moved)
        self.tell(f"pulled:{lane}:{seen.withdrawn[lane]}", fact)

    def changed(self, one: Happened, seen: Seen) -> None:
        """What the classes voted and somebody carried out."""
        record, number = self.record(), seen.next_of(one.event)
        lists: dict[str, Sequence[FactBody]]
        lists = {"Amended": record.amended, "Waived": record.waived, "Replaced": record.replaced}
        if one.event == "Replaced":
            seen.hand_on(_address(one.said["former"]), one.said["lane"], one.said["owed_former"])
        if number > len(lists[one.event]):
            note = next((was.reason for was in record.proposed if was.proposal == seen.proposal), "")
            fact = self._change(one, seen.proposal, note or "Its reason was told to the chain only.")
            self.tell(f"followed:{one.event}:{number}", fact)

    def _change(self, one: Happened, proposal: int, note: str) -> FactBody:
        record, said = self.record(), one.said
        deal, program = recompile(record.originated)
        if one.event == "Waived":
            return TestWaived(self.deal, deal.tests[said["test"] - 1].name, said["through_period"], proposal, note)
        if one.event == "Replaced":
            (name,) = [name for name, lane in program.payee_lanes.items() if lane == said["lane"]]
            return PayeeReplaced(self.deal, name, said["lane"], _address(said["payee"]), proposal, note)
        text = self._amended_text(bytes(said["deal_hash"]), proposal)
        new = compiled(text)[1]
        if new.program_hash != bytes(said["program_hash"]):
            raise Corrupt("deal.chain_differs", "The chain runs another program than the amended text.", deal=self.deal)
        told = (text, new.deal_hash, new.code, new.program_hash, new.rows, COMPILER)
        return DealAmended(self.deal, record.state.period, *told, proposal, note)

    def _amended_text(self, deal_hash: bytes, proposal: int) -> str:
        for was in self.record().proposed:
            if was.text and compiled(was.text)[1].deal_hash == deal_hash:
                return was.text
        hint = (
            f"Bring it: penstock deal vote execute {self.deal} {proposal} --amend FILE --note NOTE, as it was proposed."
        )
        sentence = "The deal was amended on chain by a text that is not known here."
        raise Refused("vote.text_unknown", sentence, hint=hint, deal=self.deal, proposal=proposal)


def follow(workspace: Workspace, desk: ChainDesk, deal: str, at_us: int) -> None:
    """Record what was done to a deal on chain and is not recorded yet, in the chain's order; then both agree.

    Raises:
        NotFound: ``deal.unknown``. Refused: ``vote.text_unknown`` for an amendment whose text nobody brought here.
        Corrupt: ``deal.chain_differs``.
    """
    own, ballot = Follower(workspace, desk, deal, at_us), ballot_contract(deal)
    seen, whose = Seen(), (deal, ballot) if ballot in own.record().contracts else (deal,)
    for one in desk.history(*whose):
        match one.event:
            case "Executed":
                seen.proposal = int(one.said["id"])
            case "SecondPage":
                seen.pages = [one.said["report"]]
            case "PeriodClosed":
                own.closed(one.said, seen.pages)
                seen.pages = []
            case "Withdrawn" if one.contract == deal:
                own.pulled(one.said["lane"], one.said["amount"], _address(one.said["payee"]), seen)
            case "Amended" | "Waived" | "Replaced":
                own.changed(one, seen)


def record_closing(workspace: Workspace, deal: str, program: Program, closing: Closing, at_us: int) -> None:
    """Record a closed period; dollars that came in and no collection accounts for are told first, and are nobody's
    cash flow.
    """
    first = account_of(deal, program.lane_name(COLLECT))
    state = workspace.read(lambda world: world.capital.deal(deal).state)
    held = state.lane(COLLECT) + closing.inflow
    more = held - workspace.read(lambda world: world.books.ledger.balance(world.books.accounts.id_of(first)))
    if more > 0:
        workspace.submit(
            f"unnamed:{deal}:{closing.period}", b"", at_us, lambda world: _unnamed(world, deal, first, more)
        )
    key = f"close:{deal}:{closing.period}"
    workspace.submit(key, b"", at_us, lambda world: close(world, deal, program, closing))


def _unnamed(world: World, deal: str, account: str, amount: int) -> list[Entry]:
    start = int(world.books.registers.read[world.books.registers.id_of(account)])
    transfer = Transfer(UNNAMED, account, amount, "reached the deal, unaccounted")
    return opened(world, (CollectionReceived(deal, account, start, start + amount, (transfer,)),))


def opened(world: World, facts: tuple[FactBody, ...]) -> list[Entry]:
    """The facts, and before them the accounts that their transfers need and nobody opened."""
    ends = [end for fact in facts for one in getattr(fact, "transfers", ()) for end in (one.source, one.target)]
    new = [name for name in dict.fromkeys(ends) if name not in world.books.accounts]
    return [Entry(one) for one in (*(AccountOpened(name, external=name in _OUTSIDE) for name in new), *facts)]


def _closing(program: Program, record: DealRecord, report: Report, balance: int, now_s: int) -> Closing:
    end_s = period_bounds(program.code, record.state.period, program.rows)[1]
    return close_period(program.code, record.state, report, balance, max(now_s, end_s), program.rows)


def _address(value: object) -> bytes:
    return bytes.fromhex(str(value).removeprefix("0x"))

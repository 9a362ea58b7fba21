"""A deal that is lived on a real chain, month by month: journal, exact engine, chain and holders side by side."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from hostile import DOLLAR
from whole_stack import compiled

from penstock.capital.asset_table import read_assets
from penstock.capital.exact import period_bounds
from penstock.capital.measure import DEFINITION
from penstock.capital.program import Program
from penstock.capital.report import page_subject
from penstock.chain.client import ChainClient
from penstock.chain.node import Genesis, Node
from penstock.chain.provider import NodeProvider
from penstock.chain.typed_data import SetChange, anchor_domain, set_change_message, sign_typed
from penstock.journal.fact import Entry
from penstock.journal.kinds.ledger import WorkspaceOpened
from penstock.journal.kinds.servicing import CollectionKind
from penstock.keys import ChainKey, SigningKey, derive_seed
from penstock.period import DAY_US, SECOND_US, parse_iso
from penstock.usecases.anchor import anchor_checkpoint, sign_checkpoint
from penstock.usecases.anchor_rpc import Vote, sign_vote
from penstock.usecases.ballot import DELAY_S, know_contracts
from penstock.usecases.chain_desk import ChainDesk
from penstock.usecases.close_due import bring
from penstock.usecases.consent import Change
from penstock.usecases.consent import compiled as compiled_text
from penstock.usecases.enrol import open_accounts
from penstock.usecases.follow import follow
from penstock.usecases.launch import Admission, Roles, admit, adopt_chain, launch, place, tranche_contract
from penstock.usecases.originate import originate
from penstock.usecases.pay_period import DealPeriod, accepted_report, close_on_chain, pull_income, record_report
from penstock.usecases.servicing.collect import Payment, collect
from penstock.usecases.servicing.pool import pool
from penstock.usecases.servicing.report import report
from penstock.usecases.servicing.write_off import write_off
from penstock.usecases.vote import cast, propose
from penstock.usecases.withdraw import WALLETS, record_withdrawals, taken_by, tranche_account
from penstock.usecases.workspace import Workspace

NAME: Final = "life"
USDC: Final = 10**6
ORIGIN: Final = "deals.example/life"
START_US: Final = parse_iso("2026-01-01T00:00:00Z")
GRACE_S: Final = 5 * 86_400
TEXT: Final = """
deal: Life
dollar: USDC
calendar: {pays: monthly, starts: 2026-01-01T00:00:00Z, grace: 5 d}
report: {cfads: USDC, pool: USDC, losses: USDC, recoveries: USDC}
accounts: {collect: {}, dsra: {target: 1 x due(A)}, trap: {releases_to: collect}}
fees: {servicer: {amount: 40 USDC}}
tranches:
  A: {face: 60_000 USDC, rate: 6 %, principal: 150 USDC}
  B: {face: 20_000 USDC, rate: 9 %}
  E: {residual: true}
tests:
  dscr: {value: cfads, against: due(A), lockup: below 1.10, stale: lockup, cure: after 1 clean period}
  oc: {value: pool, against: "balance(A, B)", lockup: below 1.02, stale: lockup, cure: after 1 clean period}
  unpaid: {value: arrears(A), against: 1 USDC, accel: above 0.5, cure: after 1 clean period, sticky: accel}
states: [normal, lockup, accel]
waterfall:
  normal: [pay servicer, pay A.interest support dsra, pay A.principal support dsra, fill dsra, pay B.interest,
    release trap, pay E rest]
  lockup: [pay servicer, pay A.interest support dsra, pay A.principal support dsra, fill dsra, pay B.interest,
    hold rest in trap]
  accel: [pay servicer, release trap, pay A.interest support dsra, sweep A, pay B.interest, sweep B, pay E rest]
pool: {assurance: at least gateway_signed, past_due: at most 60 d, advance: {other: 80 %}}
votes:
  amendment: {classes: [A, B], share: 66.67 %}
  waiver: {classes: [A], share: 50 %}
  replacement: {classes: [A], share: 50 %}
"""
LOANS: Final = 5
BALANCE: Final = 20_000
ROLES: Final = ("operator", "trustee", "guardian", "senior", "junior", "servicer", "successor", "stranger")
KEYS: Final = {role: ChainKey(derive_seed(b"life", role)) for role in ROLES}
ATTESTERS: Final = {n: ChainKey(derive_seed(b"life", f"attester-{n}")) for n in range(4)}
HOLDERS: Final = {"A": {"senior": 36_000, "junior": 24_000}, "B": {"junior": 20_000}, "E": {"operator": 1_000_000}}


class Life:
    """A launched, serviced deal. `senior` holds three fifths of A, `junior` the rest and B, the sponsor E."""

    def __init__(self, folder: Path) -> None:
        self.workspace, self.now_s = Workspace(folder), START_US // SECOND_US
        people = [*KEYS.values(), *ATTESTERS.values()]
        genesis = Genesis({key.address: 10**22 for key in people}, at_s=self.now_s - 1)
        self.client = ChainClient(NodeProvider(Node(genesis, now=lambda: self.now_s)))
        self.desk, self.log_key = ChainDesk(self.workspace, self.client, KEYS["operator"]), SigningKey(bytes(32))
        self.seats, self.acts, self.rounds = [0, 1, 2], 0, 0
        self._found()
        self.desks = {role: self._desk(role) for role in ROLES}
        self.first_epoch = self.desk.view("Anchor", "epoch")

    def _found(self) -> None:
        at = {role: key.address for role, key in KEYS.items()}
        self.tell(lambda _: [Entry(WorkspaceOpened(ORIGIN, self.log_key.public))])
        self.desk.deploy_data("Dollar", bytes.fromhex(compiled(DOLLAR)["bytecode"][2:]))  # refuses whom it is told to
        roles = Roles(tuple(ATTESTERS[n].address for n in self.seats), at["trustee"], at["guardian"], at["servicer"])
        adopt_chain(self.workspace, self.desk, roles, START_US)
        names = [*KEYS, *(tranche_account(NAME, one) for one in HOLDERS)]
        self.tell(lambda _: open_accounts(names, [WALLETS]))
        self.tell(lambda world: originate(world, NAME, TEXT, ()))
        launch(self.workspace, self.desk, NAME, roles, START_US)
        placed = {
            tranche: [Admission(at[who], 840, 1, shares * USDC) for who, shares in held.items() if who != "operator"]
            for tranche, held in HOLDERS.items()
        }
        admit(self.desk, NAME, placed["A"])
        for tranche, admissions in placed.items():
            if admissions:
                place(self.desk, tranche_contract(NAME, tranche), admissions)
        self.tell(lambda world: pool(world, NAME, _loans()))

    def _desk(self, role: str) -> ChainDesk:
        desk = ChainDesk(self.workspace, self.client, KEYS[role])
        for one in ("Dollar", "Registry", "Anchor"):
            desk.know(one, one, self.desk.contract(one).address)
        self.workspace.read(lambda world: know_contracts(world, desk, NAME))
        return desk

    # ------------------------------------------------------------ where it stands

    @property
    def record(self) -> Any:
        return self.workspace.read(lambda world: world.capital.deal(NAME))

    @property
    def program(self) -> Program:
        return _program(self.record.originated.text)

    @property
    def number(self) -> int:
        return int(self.record.state.period)

    @property
    def state(self) -> str:
        return self.program.state_name(self.record.state.flags)

    def stop_s(self, number: int) -> int:
        return period_bounds(self.program.code, number)[1]

    @property
    def at_us(self) -> int:
        return self.now_s * SECOND_US

    # ------------------------------------------------------------ acts

    def tell(self, decide: Any) -> None:
        self.acts += 1
        self.workspace.submit(f"told {self.acts}", b"", self.at_us, decide)

    def act(self, role: str, contract: str, function: str, *args: Any) -> None:
        """On chain, by somebody who tells the workspace nothing."""
        self.acts += 1
        self.desks[role].act(f"act {self.acts}", contract, function, *args)

    def dollar_mode(self, role: str, mode: int) -> None:
        data = keccak(text="set_mode(address,uint256)")[:4] + encode(["address", "uint256"], [KEYS[role].address, mode])
        self.client.transact(KEYS["operator"], self.desk.contract("Dollar").address, data)

    def wait_until(self, at_s: int) -> None:
        self.now_s = max(self.now_s, at_s)

    def pay(self, number: int, loans: range, reference: str) -> None:
        """These loans pay a month's interest and principal in the middle of a period; told now."""
        received = self.program_start_us(number) + 14 * DAY_US
        payments = [
            Payment(f"loan-{n}", kind, micro, received, f"home-{n}")
            for n in loans
            for kind, micro in ((CollectionKind.INTEREST, 130 * USDC + n), (CollectionKind.PRINCIPAL, 35 * USDC + 1))
        ]
        self.tell(lambda world: collect(world, NAME, reference, payments, self.at_us))

    def program_start_us(self, number: int) -> int:
        return period_bounds(self.program.code, number)[0] * SECOND_US

    def recover(self, number: int, loan: int, micro: int) -> None:
        received = self.program_start_us(number) + DAY_US
        paid = [Payment(f"loan-{loan}", CollectionKind.RECOVERY, micro, received, "home")]
        self.tell(lambda world: collect(world, NAME, f"recovery {number}", paid, self.at_us))

    def write_off(self, loan: int, micro: int) -> None:
        self.tell(lambda world: write_off(world, NAME, {f"loan-{loan}": micro}, "bankrupt"))

    def tape(self, number: int) -> None:
        self.tell(lambda world: report(world, NAME, number, {}, self.at_us))

    def attest(self, number: int, *, recorded: bool = True) -> None:
        """The record anchored; two attesters sign what it leads to; the accepted report ``recorded``."""
        period = DealPeriod(NAME, self.program, number, self.at_us)
        signed = sign_checkpoint(self.workspace, f"checkpoint {number}", ORIGIN, self.log_key, self.at_us)
        anchor_checkpoint(self.workspace, self.desk, signed, self.at_us)
        told = self.workspace.read(lambda world: world.capital.report(NAME, number))
        epoch, anchor = self.desk.view("Anchor", "epoch"), self.desk.contract("Anchor").address
        for page, word in enumerate(told.words):
            subject = page_subject(self.desk.contract(NAME).address, page)
            vote = Vote(subject, word, DEFINITION, signed.size, signed.root, epoch)
            for seat in self.seats[:2]:
                signature = sign_vote(ATTESTERS[seat], vote, self.desk.identity.chain_id, anchor)
                self.act("stranger", "Anchor", "attest", vote.as_tuple(), signature)
        assert accepted_report(self.desk, NAME, self.program.pages) == told
        if recorded:
            record_report(self.workspace, self.desk, period, signed)

    def close(self, number: int) -> None:
        """The period closed here and there, and every tranche pulled."""
        bring(self.workspace, self.desk, NAME)
        close_on_chain(self.workspace, self.desk, DealPeriod(NAME, self.program, number, self.at_us))
        for tranche, held in HOLDERS.items():
            pull_income(
                self.workspace, self.desk, DealPeriod(NAME, self.program, number, self.at_us), tranche, len(held)
            )

    def voted(self, change: Change, note: str) -> int:
        """Proposed, voted by the classes, its delay over; carried out by nobody yet."""
        number = propose(self.workspace, self.desks["operator"], NAME, change, note)
        cast(self.workspace, self.desks["junior"], NAME, number, "B", True) if hasattr(change, "text") else None
        for role in ("senior", "junior"):
            row = self.desks["operator"].view(f"ballot:{NAME}", "proposal", number)
            if not row[3]:
                cast(self.workspace, self.desks[role], NAME, number, "A", True)
        self.now_s += DELAY_S
        return number

    def replace_attester(self, seat: int, newcomer: int) -> None:
        """By the others' signatures, after two days."""
        nonce = self.desk.view("Anchor", "nonce")
        removed, added = ("0x" + ATTESTERS[n].address.hex() for n in (self.seats[seat], newcomer))
        change = SetChange(2, nonce, added=added, removed=removed)
        anchor = "0x" + self.desk.contract("Anchor").address.hex()
        message = set_change_message(anchor_domain(self.desk.identity.chain_id, anchor), change)
        others = [n for place, n in enumerate(self.seats) if place != seat]
        consents = [sign_typed(ATTESTERS[n].secret, message) for n in others]
        self.act("stranger", "Anchor", "propose", change.as_tuple(), consents)
        self.now_s += DELAY_S
        self.act("stranger", "Anchor", "execute", change.as_tuple())
        self.seats[seat] = newcomer

    def withdraw(self, tranche: str) -> None:
        """Every holder takes its income on chain; what the chain says becomes a fact."""
        own = tranche_contract(NAME, tranche)
        before = taken_by(self._withdrawn(own), {key.address: role for role, key in KEYS.items()})
        for role in HOLDERS[tranche]:
            self.act(role, own, "withdraw")
        after = taken_by(self._withdrawn(own), {key.address: role for role, key in KEYS.items()})
        taken = {role: amount - before.get(role, 0) for role, amount in after.items()}
        shares = {role: held * USDC for role, held in HOLDERS[tranche].items()}
        source = tranche_account(NAME, tranche)
        self.tell(lambda world: record_withdrawals(world, NAME, tranche, source, shares, taken))

    def _withdrawn(self, own: str) -> list[dict[str, Any]]:
        return [one.said for one in self.desk.history(own) if one.event == "Withdrawn"]

    # ------------------------------------------------------------ reconciled

    def dollars(self, address: bytes) -> int:
        return int(self.desk.view("Dollar", "balanceOf", address))

    def agree(self) -> None:
        """Chain = exact = ledger = holders, to the micro-dollar."""
        follow(self.workspace, self.desk, NAME, self.at_us)
        bring(self.workspace, self.desk, NAME)
        words = self.record.state.words
        assert tuple(self.desk.view(NAME, "words", place) for place in range(len(words))) == words
        held = self.ledger()
        own = {name: amount for name, amount in held.items() if name.startswith(f"{NAME}/")}
        at_deal = sum(amount for name, amount in own.items() if "/tranche/" not in name)
        assert at_deal == self.dollars(self.desk.contract(NAME).address)
        assert sum(held.values()) == 0  # what came from outside is what is inside and what went out again
        for tranche, holders in HOLDERS.items():
            contract = tranche_contract(NAME, tranche)
            at = self.dollars(self.desk.contract(contract).address)
            assert at == own.get(tranche_account(NAME, tranche), 0)
            owed = sum(self.desk.view(contract, "withdrawable", KEYS[role].address) for role in holders)
            assert 0 <= at - owed <= len(holders) * (1 + self.rounds)  # dust: below a micro-dollar a settlement

    def ledger(self) -> dict[str, int]:
        return self.workspace.read(
            lambda world: {
                world.books.accounts.name(number): amount for number, amount in world.books.ledger.balances().items()
            }
        )


@cache
def _program(text: str) -> Program:
    return compiled_text(text)[1]


def _loans() -> Any:
    count = range(LOANS)
    return read_assets(
        pa.table(
            {
                "asset": [f"loan-{n}" for n in count],
                "contract": [f"c-{n}" for n in count],
                "offtaker": ["utility", "town"] * 2 + ["rack"],
                "obligor": [f"home-{n}" for n in count],
                "region": ["CO", "UT"] * 2 + ["CO"],
                "kind": ["loan"] * LOANS,
                "technology": ["solar_pv"] * 4 + ["accelerator"],
                "assurance": ["meter_signed"] * LOANS,
                "balance_usdc": [str(BALANCE)] * LOANS,
                "rate_percent": ["8"] * LOANS,
                "starts": ["2025-01-01"] * LOANS,
                "ends": ["2055-01-01"] * LOANS,
                "first_due": ["2026-01-15"] * LOANS,
                "term_periods": ["340"] * LOANS,
            }
        )
    )

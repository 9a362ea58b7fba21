"""A deal on titanoboa beside its exact twin: what both are asked, and how they are compared.

Contracts are called by raw data: fast, and nothing stands between the test and the bytecode.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import boa
from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak
from nodes import artefact
from vyper.compiler.settings import OptimizationLevel

from penstock.capital import edition
from penstock.capital.ceiling import gas_ceiling
from penstock.capital.exact import CHANGED, Closing, DealState, close_period, opening_state, period_bounds, withdraw
from penstock.capital.report import Report, page_subject
from penstock.capital.schedule_rows import creation, read_rows
from penstock.errors import Invalid, Refused

SOURCE = Path(__file__).parents[2] / "contracts" / "Deal.vy"
DEAL_HASH = bytes(range(32))
CALLER = "0x" + "ca" * 20
GOVERNOR = "0x" + "60" * 20
NOBODY = "0x" + "00" * 20
CLOSED = keccak(text="PeriodClosed(uint256,uint256,uint256,uint256,bool)")

ANCHOR = """
reports: HashMap[address, uint256]

@external
def attest(subject: address, word: uint256):
    self.reports[subject] = word

@external
@view
def report(subject: address) -> uint256:
    return self.reports[subject]
"""

DOLLAR = """
balanceOf: public(HashMap[address, uint256])

@external
def hold(holder: address, amount: uint256):
    self.balanceOf[holder] = amount

@external
def transfer(receiver: address, amount: uint256) -> bool:
    self.balanceOf[msg.sender] -= amount
    self.balanceOf[receiver] += amount
    return True
"""


CONSTRUCTOR = ["address", "address", "bytes", "address", "bytes32", "address[]", "address"]
AMEND, WAIVE, REPLACE = "amend(bytes,address,bytes32)", "waive(uint256,uint256)", "replace(uint256,address)"


class Refusal(Exception):
    """A call or a deployment failed; the text is the contract's reason."""


GAS = 16_000_000
"""What a transaction may use; titanoboa's own limit takes minutes to burn."""


def create(code: bytes) -> str:
    """The address of a new contract."""
    address, computation = boa.env.deploy(bytecode=code)
    if computation.is_error:
        raise Refusal(reason(computation.output))
    # A contract that a test rolled back may have stood at the same address; titanoboa would still speak for it.
    boa.env._contracts.pop(bytes.fromhex(str(address)[2:]), None)
    return str(address)


def reason(output: bytes) -> str:
    """The text of ``Error(string)``; empty for a bare revert."""
    return str(decode(["string"], output[4:])[0]) if len(output) > 4 else ""


def execute(to: str, signature: str, *args: Any, sender: str = CALLER) -> Any:
    """The computation of ``name(types)``; raises `Refusal`."""
    types = signature[signature.index("(") + 1 : -1]
    data = keccak(text=signature)[:4] + encode(types.split(",") if types else [], args)
    computation = boa.env.execute_code(to, sender, gas=GAS, data=data)
    if computation.is_error:
        raise Refusal(reason(computation.output))
    return computation


def call(to: str, signature: str, *args: Any, sender: str = CALLER) -> int:
    """The number that ``name(types)`` answers."""
    return int.from_bytes(execute(to, signature, *args, sender=sender).output[:32], "big")


@cache
def compiled(source: str, *, for_size: bool = False) -> bytes:
    """Creation code of a source."""
    level = OptimizationLevel.CODESIZE if for_size else OptimizationLevel.GAS
    options = {"evm_version": "prague", "optimize": level}
    return bytes(boa.loads_partial(source, compiler_args=options).compiler_data.bytecode)


DOLLAR_AT = create(compiled(DOLLAR))
ANCHOR_AT = create(compiled(ANCHOR))


def payee_address(place: int) -> str:
    """The address of a payee by its place."""
    return f"0x{0xC0DE + place:040x}"


def new_payee_address(lane: int) -> str:
    """The address of who takes a lane over; another for each edition of the lane would tell no more."""
    return f"0x{0xD0DE00 + lane % 2**32:040x}"


def schedule_contract(rows: bytes) -> str:
    """The address of a schedule's data contract; zero for none."""
    return create(creation(rows)) if rows else NOBODY


def launch(code: bytes, payees: int, rows: bytes = b"", *, for_size: bool = False) -> str:
    """The contract's address; raises `Refusal` where its constructor refuses. As shipped, or compiled ``for_size``."""
    return launch_on(code, payees, schedule_contract(rows), for_size=for_size)


def launch_on(code: bytes, payees: int, schedule: str, *, for_size: bool = False) -> str:
    """As `launch`, on any contract as the schedule."""
    shipped = bytes.fromhex(artefact("Deal")["bytecode"][2:])
    made = compiled(SOURCE.read_text(), for_size=True) if for_size else shipped
    people = [payee_address(place) for place in range(payees)]
    args = [DOLLAR_AT, ANCHOR_AT, code, schedule, DEAL_HASH, people, GOVERNOR]
    return create(made + encode(CONSTRUCTOR, args))


def refused_alike(code: bytes, payees: int, rows: bytes = b"") -> bool:
    """Whether both refuse the program; fails where only the twin does (`Pair.open` where only the contract does)."""
    try:
        opening_state(code)
        read_rows(code, rows)
    except Invalid as invalid:
        try:
            launch(code, payees, rows)
        except Refusal as refused:
            assert str(refused).split(".")[0] in (invalid.code.split(".")[0], "")
            return True
        raise AssertionError("the contract took a program that the twin refuses") from None
    return False


@dataclass(slots=True)
class Pair:
    """One deal twice. Every act is done to both, and every storage word compared."""

    code: bytes
    rows: bytes
    address: str
    state: DealState
    gas: int = 0
    """Of the last close, execution only."""

    @classmethod
    def open(cls, code: bytes, payees: int, rows: bytes = b"", *, for_size: bool = False) -> Pair:
        pair = cls(code, rows, launch(code, payees, rows, for_size=for_size), opening_state(code))
        pair.compare()
        return pair

    def compare(self) -> None:
        """Every storage word, read below the contract's views; and one word more, which must be untouched."""
        words = [int(boa.env.get_storage(self.address, i)) for i in range(len(self.state.words) + 1)]
        assert words == [*self.state.words, 0]
        assert call(self.address, "period_end()") == self.bounds[1]

    @property
    def bounds(self) -> tuple[int, int]:
        """Start and end of the open period [s]."""
        return period_bounds(self.code, self.state.period, self.rows)

    @property
    def pages(self) -> int:
        """Pages of the report that the program reads."""
        return self.code[23]

    @property
    def balance(self) -> int:
        return call(DOLLAR_AT, "balanceOf(address)", self.address)

    def hold(self, amount: int) -> None:
        """Let the deal's address hold so many dollars."""
        execute(DOLLAR_AT, "hold(address,uint256)", self.address, min(amount, 2**256 - 1))

    def attest(self, words: tuple[int, ...]) -> None:
        """Let the anchor hold a word for each page."""
        for page, word in enumerate(words):
            subject = page_subject(bytes.fromhex(self.address[2:]), page)
            execute(ANCHOR_AT, "attest(address,uint256)", "0x" + subject.hex(), word)

    def close(self, report: Report, now_s: int, cash: int = 0, second: int | None = None) -> Closing | None:
        """Both close, or both refuse (then None). ``second``: another word on the second page."""
        self.hold(self.balance + cash)
        words = (*report.words, 0)[: self.pages] if second is None else (report.word, second)[: self.pages]
        self.attest(words)
        boa.env.timestamp = now_s
        try:
            read = Report.from_words(words)
            closing = close_period(self.code, self.state, read, self.balance, now_s, self.rows)
        except Refused as refused:
            self.refuse("close()", refused.code)
            return None
        done = execute(self.address, "close()")
        self.gas = done.get_gas_used()
        assert int.from_bytes(done.output, "big") == closing.flags
        assert done.get_gas_used() <= gas_ceiling(self.code)
        *pages, (_, topics, data) = done.get_log_entries()
        assert topics == (int.from_bytes(CLOSED, "big"), closing.period)
        assert decode(["uint256"] * 4, data) == (closing.flags, closing.inflow, words[0], int(closing.fresh))
        assert [int.from_bytes(told, "big") for _, _, told in pages] == list(words[1:])
        self.state = closing.state
        self.compare()
        return closing

    def refuse(self, signature: str, code: str, *args: Any, sender: str = CALLER) -> None:
        """The contract gives this reason - or one of its area, for a malformed program - and changes nothing."""
        try:
            execute(self.address, signature, *args, sender=sender)
        except Refusal as refused:
            area, _, what = code.partition(".")
            alike = str(refused).split(".")[0] in (area, "") if what == "malformed" else str(refused) == code
            assert alike, f"{refused} instead of {code}"
            self.compare()
            return
        raise AssertionError(f"the contract did it, the twin says {code}")

    def withdraw(self, lane: int) -> int:
        """Both pay the lane's payee, if the dollars are there."""
        payee = "0x" + execute(self.address, "payee(uint256)", lane).output[12:32].hex()
        owed, held = call(self.address, "unpaid(uint256)", lane), self.balance
        before = call(DOLLAR_AT, "balanceOf(address)", payee)
        state, amount = withdraw(self.state, lane)
        assert owed == amount
        if amount > held:  # the dollar's issuer took some back
            return 0
        self.state = state
        assert call(self.address, "withdraw(uint256)", lane, sender=payee) == amount
        assert call(DOLLAR_AT, "balanceOf(address)", payee) - before == amount
        self.compare()
        return amount

    def amend(self, code: bytes, rows: bytes = b"") -> bool:
        """Both take the program over, or both refuse."""
        args = (code, schedule_contract(rows), DEAL_HASH[::-1])
        try:
            state = edition.amend(self.state, (self.code, self.rows), (code, rows))
        except (Invalid, Refused) as refused:
            self.refuse(AMEND, refused.code, *args, sender=GOVERNOR)
            return False
        execute(self.address, AMEND, *args, sender=GOVERNOR)
        self.state, self.code, self.rows = state, code, rows
        assert execute(self.address, "program_hash()").output == keccak(code)
        assert execute(self.address, "deal_hash()").output == DEAL_HASH[::-1]
        self.compare()
        return True

    def waive(self, test: int, through: int) -> bool:
        """Both waive, or both refuse."""
        try:
            state = edition.waive(self.state, test, through)
        except Refused as refused:
            self.refuse(WAIVE, refused.code, test, through, sender=GOVERNOR)
            return False
        execute(self.address, WAIVE, test, through, sender=GOVERNOR)
        self.state = state
        assert state.flags & CHANGED
        assert tuple(call(self.address, "waived_through(uint256)", i) for i in range(1, 7)) == state.waived
        self.compare()
        return True

    def replace(self, lane: int) -> bool:
        """Both hand the lane on and keep the former payee's claim, or both refuse."""
        try:
            state = edition.replace_payee(self.code, self.state, lane)
        except Refused as refused:
            self.refuse(REPLACE, refused.code, lane, new_payee_address(lane), sender=GOVERNOR)
            return False
        former = "0x" + execute(self.address, "payee(uint256)", lane).output[12:32].hex()
        before = call(self.address, "owed_former(address)", former)
        execute(self.address, REPLACE, lane, new_payee_address(lane), sender=GOVERNOR)
        owed = call(self.address, "owed_former(address)", former)
        assert owed - before == state.former_usdc_micro - self.state.former_usdc_micro
        assert call(self.address, "unpaid(uint256)", lane) == 0
        self.state = state
        self.compare()
        if owed <= self.balance:
            self.state = edition.withdraw_former(self.state, owed)
            assert call(self.address, "withdraw_former()", sender=former) == owed
            self.compare()
        return True

"""Gas of closing a deal's period, whole transactions, against the same deal by hand that pushes to every payee.

Both get the same dollars and the same attested measures month after month, and every payee is owed by ours what the
other has pushed to it. On the embedded node in this process; the figures repeat to the unit. The compiler's ceiling,
which no close of a deal exceeds, stands beside.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from penstock.capital.compile import compile_deal
from penstock.capital.exact import period_bounds
from penstock.capital.language import load_deal
from penstock.capital.program import Program
from penstock.capital.report import Report

TESTS: Final = Path(__file__).resolve().parent.parent / "tests" / "contracts"
USDC, NEVER_S, NOBODY = 10**6, 2**32 - 1, "0x" + "00" * 20
TRANSACTION: Final = 21_064  # every transaction's own, and four bytes of call data
GOALS: Final = {"normal": 115_000, "triggered": 125_000, "twelve": 155_000, "withdraw": 55_000}
Measured = tuple[int, ...] | None
# what happens, dollars that arrive, what is attested; of the four tranches, then of the twelve
FOUR: Final[list[tuple[str, int, Measured]]] = [
    ("first ever", 4_000_000, (2_000_000, 100_000_000)),
    ("normal", 1_500_000, (2_000_000, 100_000_000)),
    ("first shortfall, a word leaves zero", 950_000, (2_000_000, 100_000_000)),
    ("triggered, shortfall caught up", 1_200_000, (900_000, 100_000_000)),
    ("locked up, one clean period", 1_500_000, (2_000_000, 100_000_000)),
    ("cured, trap released", 1_500_000, (2_000_000, 100_000_000)),
    ("triggered", 1_200_000, (900_000, 100_000_000)),
    ("no report", 1_500_000, None),
    ("acceleration trips, a word leaves zero", 1_500_000, (500_000, 100_000_000)),
    ("accelerated", 1_500_000, (500_000, 100_000_000)),
]
TWELVE: Final[list[tuple[str, int, Measured]]] = [
    ("first ever", 4_000_000, (2_000_000, 110_000_000, 700_000)),
    ("normal", 1_500_000, (2_000_000, 110_000_000, 700_000)),
    ("triggered", 1_300_000, (320_000, 110_000_000, 700_000)),
    ("locked up, one clean period", 1_500_000, (2_000_000, 110_000_000, 700_000)),
    ("cured, trap released", 1_500_000, (2_000_000, 110_000_000, 700_000)),
]


@cache
def rooms() -> Any:
    """The contract tests' chain, their stand-in anchor, their compiler of small sources."""
    sys.path.insert(0, str(TESTS))
    import deal_rig
    import nodes
    import whole_stack

    return nodes, deal_rig.ANCHOR, whole_stack.compiled


@dataclass
class Yard:
    """A chain with a dollar and an anchor that says what it is told."""

    chain: Any
    dollar: Any
    anchor: Any

    def feed(self, deal: Any, cash: int, measures: Measured, end_s: int) -> None:
        """Dollars to a deal's address, and its report."""
        minter = self.chain.account("minter")
        self.chain.send(self.dollar.functions.mint(deal.address, cash * USDC), minter)
        values = [value * USDC for value in measures or ()]
        report = Report.of(values, end_s, NEVER_S) if measures else Report.missing()
        self.chain.send(self.anchor.functions.attest(deal.address, report.word), minter)

    def close(self, deal: Any) -> int:
        """Gas of closing, by anyone."""
        return int(self.chain.gas(deal.functions.close(), self.chain.account("anyone")))

    def people(self, names: list[str], prefix: str = "") -> list[str]:
        """Addresses of payees."""
        return [self.chain.account(prefix + name).address for name in names]


@dataclass
class Launched:
    """Our deal on a yard."""

    yard: Yard
    program: Program
    deal: Any

    def month(self, place: int, cash: int, measures: Measured) -> int:
        """Gas of a period's close."""
        self.yard.feed(self.deal, cash, measures, period_bounds(self.program.code, place, self.program.rows)[1])
        gas = self.yard.close(self.deal)
        assert gas <= self.program.gas_ceiling + TRANSACTION
        return gas

    def withdraw(self, payee: str) -> int:
        """Gas of a withdrawal by its payee."""
        step = self.deal.functions.withdraw(self.program.payee_lanes[payee])
        return int(self.yard.chain.gas(step, self.yard.chain.account(payee)))

    def ever_paid(self) -> list[int]:
        """What each payee was ever paid or is owed [micro-dollars]."""
        return [self.deal.functions.lane(lane).call() for lane in self.program.payee_lanes.values()]


def yard(node: Any, name: str) -> Yard:
    """A chain's own dollar and anchor."""
    nodes, source, compiled = rooms()
    chain = nodes.Chain(node, name)
    dollar = chain.deploy("Dollar", chain.account("minter").address)
    return Yard(chain, dollar, chain.deploy_code(compiled(source)))


def text(file: str) -> str:
    """A deal among the tests."""
    return (TESTS / file).read_text(encoding="utf-8")


def scheduled(sequential: str) -> str:
    """The deal of twelve tranches, but each owes principal every month: eleven lanes and eleven balances more move."""
    named = sequential.partition("    - sweep ")[2].partition(" up to")[0]
    line = f"    - pay {', '.join(f'{name}.principal' for name in named.split(', '))}"
    own = sequential.replace("count: 30/360}", "count: 30/360, principal: 10_000 USDC}")
    return own.replace(f"    - sweep {named} up to repaid", line).replace(", repaid: {unit: USDC, of: principal}", "")


def launch(on: Yard, deal_text: str) -> Launched:
    """Our contract with a deal's program."""
    program = compile_deal(load_deal(deal_text))
    shared = (on.dollar.address, on.anchor.address, program.code, NOBODY, program.deal_hash)
    deal = on.chain.deploy("Deal", *shared, on.people(list(program.payee_lanes)), NOBODY)
    return Launched(on, program, deal)


def side_by_side(on: Yard) -> tuple[dict[str, int], dict[str, int], Program]:
    """Four tranches, both ways, month after month: gas by what happened, ours and the plain way's."""
    mine = launch(on, text("four_tranches.yaml"))
    names = list(mine.program.payee_lanes)
    source = (Path(__file__).parent / "PlainDeal.vy").read_text(encoding="utf-8")
    first_end_s = period_bounds(mine.program.code, 0)[1]
    terms = (on.dollar.address, on.anchor.address, on.people(names, "plain "), first_end_s)
    plain = on.chain.deploy_code(rooms()[2](source), *terms)
    ours, theirs = {}, {}
    for place, (name, cash, measures) in enumerate(FOUR):
        ours[name] = mine.month(place, cash, measures)
        on.feed(plain, cash, measures, plain.functions.ends().call())
        theirs[name] = on.close(plain)
        pushed = [on.dollar.functions.balanceOf(one).call() for one in on.people(names, "plain ")]
        withdrawn = mine.ever_paid()
        assert withdrawn == pushed, (name, withdrawn, pushed)
        if place < 2:
            ours["withdrawal, " + ("later" if place else "first")] = mine.withdraw("A")
    return ours, theirs, mine.program


def twelve(on: Yard, deal_text: str) -> tuple[dict[str, int], Program]:
    """Twelve tranches, ours alone."""
    mine = launch(on, deal_text)
    return {
        name: mine.month(place, cash, measures) for place, (name, cash, measures) in enumerate(TWELVE)
    }, mine.program


def run() -> dict[str, Any]:
    """A normal close of four tranches; everything else in the notes."""
    with rooms()[0].embedded() as node:
        ours, theirs, four_program = side_by_side(yard(node, "deal gas"))
        larger, larger_program = twelve(yard(node, "deal gas, larger"), text("twelve_tranches.yaml"))
        largest, _ = twelve(yard(node, "deal gas, largest"), scheduled(text("twelve_tranches.yaml")))
    return {
        "name": "deal-gas",
        "ours": ours["normal"],
        "unit": "gas to close a month of four tranches",
        "peer": theirs["normal"],
        "ratio": theirs["normal"] / ours["normal"],
        "peer_name": "the same deal by hand, a word a value, pushing to six payees",
        "notes": [
            goal("normal, four tranches", ours["normal"], GOALS["normal"], four_program),
            goal("triggered, four tranches", ours["triggered"], GOALS["triggered"], four_program),
            goal("normal, twelve tranches", larger["normal"], GOALS["twelve"], larger_program),
            f"withdrawal by a payee: {ours['withdrawal, later']:,}, goal {GOALS['withdraw']:,}; payees withdraw when "
            "they like, the plain way pushes every month",
            *(f"four tranches, {name}: {gas:,}{beside(theirs, name)}" for name, gas in ours.items()),
            *(f"twelve tranches, {name}: {gas:,}" for name, gas in larger.items()),
            f"twelve tranches that each owe principal every month, normal: {largest['normal']:,}",
        ],
    }


def goal(what: str, gas: int, limit: int, program: Program) -> str:
    """A figure beside its goal and the compiler's ceiling, as a whole transaction."""
    return f"{what}: {gas:,}, goal {limit:,}; ceiling of any close {program.gas_ceiling + TRANSACTION:,}"


def beside(theirs: dict[str, int], name: str) -> str:
    """The plain way's figure, where it has one."""
    return f", plain {theirs[name]:,}" if name in theirs else ""

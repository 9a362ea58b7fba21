"""The gas of certificates on chain: whole transactions, as a receipt states them, for trees of any depth."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from eth_account.signers.local import LocalAccount
from lifting import HOUR_START_S, BatchTuple, Log, Row, id_of, properties, values
from nodes import GENESIS_AT_S, Chain
from web3.contract import Contract

from penstock.journal.fact import encode
from penstock.journal.kinds.lift import TitlesLifted
from penstock.journal.segment import SegmentRef

SALT = "gas of certificates"  # names the accounts, whose bytes are call data
DEADLINE_S = 4_102_444_799  # no test's clock gets there
ROW_WH = 777
BENEFICIARY, PURPOSE = "a reader of this table", "hour 14 of rack r1, matched"


@dataclass
class Scene:
    """The three contracts beside an anchor, and a journal to anchor."""

    chain: Chain
    anchor: Contract
    badge: Contract
    certificate: Contract
    kwh: Contract
    log: Log

    def by(self, role: str) -> LocalAccount:
        return self.chain.account(role)

    def at(self, role: str) -> str:
        return str(self.by(role).address)

    @property
    def act(self) -> Any:
        return self.certificate.functions

    def send(self, call: Any, role: str) -> Any:
        return self.chain.send(call, self.by(role))

    def gas(self, call: Any, role: str) -> int:
        return int(self.send(call, role)["gasUsed"])

    def anchored(self, *bodies: bytes) -> None:
        """Record bodies and anchor the journal."""
        old = self.anchor.functions.latest().call()[0]
        self.log.add(*bodies)
        self.send(self.anchor.functions.publish(*self.log.checkpoint(old)), "operator")

    def opening(self, batch: BatchTuple) -> Any:
        """The call that opens a batch."""
        size = len(self.log.bodies)
        index = self.log.bodies.index(fact_of(batch))
        return self.act.open(batch, index, size, list(self.log.tree.inclusion_proof(index, size)))


def build(chain: Chain) -> Scene:
    """Deploy; the journal has a few facts."""
    operator = chain.account("operator").address
    anchor = chain.deploy("Anchor", operator, [chain.account("attester").address], 1)
    badge = chain.deploy("Badge", operator, "https://badges.example/")
    certificate = chain.deploy("Certificate", anchor.address, badge.address, operator, "https://ids.example/{id}")
    kwh = chain.deploy("Kwh", certificate.address, bytes(32), 1, HOUR_START_S)
    chain.send(badge.functions.set_minter(certificate.address), chain.account("operator"))
    scene = Scene(chain, anchor, badge, certificate, kwh, Log())
    scene.anchored(*[f"fact {n}".encode() for n in range(60)])
    return scene


def fact_of(batch: BatchTuple) -> bytes:
    """The journal's fact of a batch."""
    at_us, certificate, deadline_s, quantity, root, rows = batch
    return encode(
        TitlesLifted(certificate.to_bytes(32), deadline_s, quantity, SegmentRef("lift/1", rows, 0, root)), at_us
    )


@dataclass
class DeepTree:
    """The first rows of a tree of 2^levels, whose other branches are given by their hashes alone."""

    rows: list[Row]
    levels: int

    def path(self, index: int) -> tuple[bytes, list[bytes]]:
        """The root, and the proof of a row."""
        nodes, proof = [self._leaf(row) for row in self.rows], []
        place = index
        for level in range(self.levels):
            if len(nodes) % 2:
                nodes.append(sha256(f"branch {level}".encode()).digest())
            proof.append(nodes[place ^ 1])
            nodes = [sha256(b"\x01" + a + b).digest() for a, b in zip(nodes[::2], nodes[1::2], strict=True)]
            place //= 2
        return nodes[0], proof

    @staticmethod
    def _leaf(row: Row) -> bytes:
        numbers = b"".join(row[n].to_bytes(4 if n == 0 else 8, "little") for n in range(3))  # type: ignore[union-attr]
        return sha256(b"\x00" + numbers + bytes.fromhex(row[3][2:])).digest()


def batch_of(
    scene: Scene, levels: int, at_us: int, holders: list[str], said: Any = None
) -> tuple[BatchTuple, DeepTree]:
    """A batch of 2^levels rows of which the first few are known."""
    rows = [(40_000 + n, 12_000_000 + n, 12_000_000 + n + ROW_WH, holder) for n, holder in enumerate(holders)]
    tree = DeepTree(rows, levels)
    root = tree.path(0)[0]
    size = 2**levels
    return (at_us, id_of(said or properties()), DEADLINE_S, size * ROW_WH, root, size), tree


def lifting(scene: Scene, batch: BatchTuple, tree: DeepTree, index: int) -> Any:
    """The call that lifts a row."""
    return scene.act.lift(batch, index, tree.rows[index], tree.path(index)[1])


def measure(chain: Chain) -> dict[str, int]:
    """Act -> gas, in the order of a certificate's life on chain."""
    scene = build(chain)
    names = ("badge", "certificate", "kwh")
    table = {f"deploy {name}": chain.deployed_gas[getattr(scene, name).address] for name in names}
    for part in (open_acts, lift_acts, holder_acts, kwh_acts):
        table |= part(scene)
    return table


def open_acts(scene: Scene) -> dict[str, int]:
    """Opening, for batches of 1 row and of about 100,000: same quantity, so that only the rows differ."""
    found = {}
    for rows in (1, 100_000):
        batch = (GENESIS_AT_S * 10**6, id_of(properties()), DEADLINE_S, 77_700_000, sha256(b"root").digest(), rows)
        scene.anchored(fact_of(batch))
        found[f"open, {rows} row{'s' if rows > 1 else ''}"] = scene.gas(scene.opening(batch), "relayer")
    return found


def lift_acts(scene: Scene) -> dict[str, int]:
    """Lifts from a tree of 20 levels (1,048,576 titles); the same from one of 10."""
    found = {}
    for levels in (20, 10):
        holders = [scene.at("holder")] * 35 + [scene.at("another holder")] * 2
        said = properties(interval_start_s=HOUR_START_S + levels)
        batch, tree = batch_of(scene, levels, GENESIS_AT_S * 10**6 + levels, holders, said)
        scene.anchored(fact_of(batch))
        scene.send(scene.opening(batch), "relayer")
        name = f"lift, {levels} levels"
        order = [("first of batch, word and holder", 0), ("steady", 1), *[("", n) for n in range(2, 32)]]
        order += [
            ("word draws", 32),
            ("steady again", 33),
            ("relayed", 34),
            ("new holder", 35),
            ("new holder later", 36),
        ]
        for what, index in order:
            sender = {"relayed": "relayer", "": "holder"}.get(what, "another holder" if "new" in what else "holder")
            gas = scene.gas(lifting(scene, batch, tree, index), sender)
            if what:
                found[f"{name}, {what}"] = gas
    return found


def holder_acts(scene: Scene) -> dict[str, int]:
    """What holders do with units, each the first time and later."""
    act, certificate = scene.act, id_of(properties(interval_start_s=HOUR_START_S + 20))
    other = id_of(properties(interval_start_s=HOUR_START_S + 10))
    holder, receiver = scene.at("holder"), scene.at("receiver")
    calls = {
        "transfer, new holder": act.safeTransferFrom(holder, receiver, certificate, 100, b""),
        "transfer, existing holder": act.safeTransferFrom(holder, receiver, certificate, 100, b""),
        "lower, first burn ever": act.lower(certificate, 100, "investor"),
        "lower": act.lower(certificate, 100, "investor"),
        "retire, first badge": act.retire(certificate, 100, BENEFICIARY, PURPOSE),
        "retire": act.retire(certificate, 100, BENEFICIARY, PURPOSE),
        "retire_batch, 2 ids": act.retire_batch([certificate, other], [100, 100], BENEFICIARY, PURPOSE),
        "claim, first": act.safeTransferAndClaimFrom(holder, receiver, certificate, 100, b"", b"claim"),
        "claim": act.safeTransferAndClaimFrom(holder, receiver, certificate, 100, b"", b"claim"),
        "describe": act.describe(values(properties())),
        "setApprovalForAll": act.setApprovalForAll(scene.kwh.address, True),
    }
    found = {name: scene.gas(call, "holder") for name, call in calls.items()}
    found["stop_lifting"] = scene.gas(act.stop_lifting(), "operator")
    found["resume_lifting"] = scene.gas(act.resume_lifting(), "operator")
    return found


def kwh_acts(scene: Scene) -> dict[str, int]:
    """In and out of the queue."""
    kwh = scene.kwh.functions
    one, two = (values(properties(interval_start_s=HOUR_START_S + levels)) for levels in (20, 10))
    steps = [
        ("kwh deposit, first ever", kwh.deposit(one, 1000)),
        ("kwh deposit, a new lot", kwh.deposit(two, 1000)),
        ("kwh deposit, into the last lot", kwh.deposit(two, 1000)),
        ("kwh redeem, part of a lot", kwh.redeem(400, 1)),
        ("kwh redeem, 2 lots", kwh.redeem(1000, 2)),
        ("kwh transfer, new holder", kwh.transfer(scene.at("receiver"), 100)),
        ("kwh transfer, existing holder", kwh.transfer(scene.at("receiver"), 100)),
    ]
    return {name: scene.gas(call, "holder") for name, call in steps}

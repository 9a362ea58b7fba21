"""A small real record with a deal on a chain, and sources that tamper with it. People are roles.

The chain is rebuilt for each test with the same addresses, so that one record serves them all.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak
from web3 import Web3

from penstock.capital.report import page_subject
from penstock.chain.node import CHAIN_ID, Genesis, Node
from penstock.chain.provider import web3_on
from penstock.chain.rpc import serve as serve_rpc
from penstock.compute.service import RackModel
from penstock.compute.service import serve as run_service
from penstock.energy.forms.cose import FIRST, Packet, packet_hash, sign
from penstock.journal.checkpoint import Checkpoint
from penstock.journal.checkpoint import sign as sign_note
from penstock.journal.fact import Entry
from penstock.journal.formats import FORMATS
from penstock.journal.kinds.capital import DealLaunched, Deployed
from penstock.journal.kinds.chain import CheckpointAnchored
from penstock.journal.kinds.compute import CreditsOffered
from penstock.journal.kinds.ledger import CheckpointSigned, WorkspaceOpened
from penstock.journal.segment import Segment
from penstock.keys import ChainKey, SigningKey, derive_seed
from penstock.period import DAY_US, HOUR_US, QUARTER_HOUR_US, Period, parse_iso
from penstock.store.segments import from_parquet, to_parquet
from penstock.usecases import certify, enrol, ingest, match, originate, sell, serve
from penstock.usecases.anchor_rpc import AnchorChain, JsonRpc
from penstock.usecases.attest import Attester
from penstock.usecases.publish import Publication, PublishedFact, RecordSource, Request
from penstock.usecases.sequencer import Receipt
from penstock.usecases.votes import VoteJournal
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

ROOT = Path(__file__).resolve().parents[2]
SEED = b"a record for attesters, 32 bytes"
START_US = parse_iso("2016-08-22T00:00:00Z")
DAYS = 2
DEAL = "first"
RACK = "rack-1"
ROOFS = {"roof-a": 1_500, "roof-b": 900, "roof-c": 2_000}
MODEL = RackModel(idle_w=150, active_mj_per_token=3_600, accelerators=1, time_us_per_token=40)
TERMS = CreditsOffered("answers", "operator", "model", "answers/credits", 1_000, 2_600, 100_000, START_US + 10**16)
LOG_KEY = SigningKey(derive_seed(SEED, "log"))
ORIGIN = "test.example/attested"
Change = Callable[[list[Entry]], list[Entry]]


def account(role: str) -> LocalAccount:
    """The chain account of a role."""
    made: LocalAccount = Account.from_key(keccak(text=f"attest/{role}"))
    return made


def key_of(role: str) -> ChainKey:
    """The same account's key."""
    return ChainKey(keccak(text=f"attest/{role}"))


ATTESTERS = ("attester-1", "attester-2", "attester-3")
FUNDED = (*ATTESTERS, "operator", "stranger")


def artefact(name: str) -> dict[str, Any]:
    """A shipped contract."""
    found: dict[str, Any] = json.loads((ROOT / "src/penstock/chain/artefacts" / f"{name}.json").read_text())
    return found


@cache
def terms_text() -> str:
    """The first deal's text, its week starting in UTC."""
    text = (ROOT / "examples/deals/first.yaml").read_text()
    return text.replace("2016-08-22T00:00:00-07:00", "2016-08-22T00:00:00+00:00")


@dataclass(slots=True)
class House:
    """A node in memory with dollar, anchor and deal; ``operator`` deploys, sponsors and publishes."""

    node: Node
    anchor: Any
    deal: Any
    w3: Any

    @classmethod
    def build(cls, node: Node, program: bytes, deal_hash: bytes, governed: bool = False) -> House:
        """All deployed, each page of the deal's report registered; where ``governed`` the operator may amend."""
        w3 = web3_on(node)
        operator = account("operator").address
        dollar = cls._deploy(w3, "Dollar", operator)
        attesters = [account(role).address for role in ATTESTERS]
        anchor = cls._deploy(w3, "Anchor", operator, attesters, 2)
        payees = [operator] * program[6]
        nobody = "0x" + "00" * 20
        governor = operator if governed else nobody
        deal = cls._deploy(w3, "Deal", dollar.address, anchor.address, program, nobody, deal_hash, payees, governor)
        house = cls(node, anchor, deal, w3)
        for page in range(program[23]):
            house.send(anchor.functions.register(house.subject(page), operator), "operator")
        return house

    def subject(self, page: int) -> str:
        """The address under which the anchor holds a page."""
        return str(Web3.to_checksum_address(page_subject(bytes.fromhex(self.deal.address[2:]), page)))

    @staticmethod
    def _deploy(w3: Any, name: str, *args: Any) -> Any:
        code = artefact(name)
        made = w3.eth.contract(abi=code["abi"], bytecode=code["bytecode"])
        receipt = _transact(w3, "operator", None, made.constructor(*args).data_in_transaction)
        return w3.eth.contract(address=receipt["contractAddress"], abi=code["abi"])

    def send(self, call: Any, role: str) -> Any:
        """A transaction of a role; its receipt."""
        return _transact(self.w3, role, call.address, call._encode_transaction_data())

    def publish(self, anchored: Sequence[tuple[int, bytes, tuple[bytes, ...]]]) -> None:
        """Anchor checkpoints in order: size, root, consistency proof."""
        for size, root, proof in anchored:
            old = self.anchor.functions.size().call()
            receipt = self.send(self.anchor.functions.publish(size, root, old, list(proof)), "operator")
            assert receipt["status"] == 1

    @property
    def report(self) -> int:
        """The accepted word."""
        return self.page(0)

    def page(self, page: int) -> int:
        """The accepted word of a page."""
        return int(self.anchor.functions.report(self.subject(page)).call())

    def votes(self, role: str) -> list[int]:
        """Words a role's votes named."""
        logs = self.anchor.events.Voted().get_logs(from_block=0, argument_filters={"attester": account(role).address})
        return [log["args"]["word"] for log in logs]


def _transact(w3: Any, role: str, to: str | None, data: Any) -> Any:
    sender = account(role)
    fields: dict[str, Any] = {"nonce": w3.eth.get_transaction_count(sender.address), "data": data, "gas": 12_000_000}
    fields |= {"chainId": CHAIN_ID, "maxFeePerGas": 100 * 10**9, "maxPriorityFeePerGas": 1, "value": 0}
    raw = sender.sign_transaction(fields | ({"to": to} if to else {})).raw_transaction
    return w3.eth.wait_for_transaction_receipt(w3.eth.send_raw_transaction(raw))


def new_node() -> Node:
    """A chain in memory, every role funded."""
    return Node(Genesis({bytes.fromhex(account(role).address[2:]): 10**21 for role in FUNDED}))


@dataclass(slots=True)
class Record:
    """The journal being written: days of roofs and a rack, credits redeemed, checkpoints anchored.

    ``change`` is what a dishonest operator does to the facts of a command before they are sealed, by the command's key.
    """

    path: Path
    change: dict[str, Change] = field(default_factory=dict)
    text: str = field(default_factory=terms_text)
    workspace: Workspace = field(init=False)
    anchored: list[tuple[int, bytes, tuple[bytes, ...]]] = field(default_factory=list)
    _chains: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    _reached: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.workspace = Workspace(self.path)

    def begin(self, launched_at: bytes) -> None:
        """Everybody enrolled, credits sold, the deal originated and launched at an address."""
        opened = WorkspaceOpened(ORIGIN, LOG_KEY.public)
        self.do("workspace", START_US, lambda _: [Entry(opened)])
        self.do("accounts", START_US, lambda _: enrol.open_accounts([], ["world", "buyer"]))
        producers = [
            enrol.Producer(name, meter(name).public, watts, "XX", "", START_US) for name, watts in ROOFS.items()
        ]
        self.do("roofs", START_US, lambda world: enrol.enrol_producers(world, producers))
        rack = enrol.enrol_rack(RACK, "operator", "XX", meter(RACK).public, 1, 10_000, START_US)
        self.do("rack", START_US, lambda _: rack)
        self.do("deal", START_US, lambda world: originate.originate(world, DEAL, self.text, (RACK,)))
        self.do("offer", START_US, lambda world: sell.offer(world, TERMS))
        self.do("sell", START_US, lambda world: sell.sell(world, TERMS.credit_class, "buyer", 90_000, START_US))
        launched = DealLaunched(DEAL, CHAIN_ID, (Deployed(DEAL, launched_at),))
        self.do("launch", START_US, lambda _: [Entry(launched)])

    def do(self, key: str, at_us: int, decide: Callable[[World], list[Entry]]) -> Receipt:
        change = self.change.get(key, _as_it_is)
        return self.workspace.submit(key, b"", at_us, lambda world: change(decide(world)))

    def day(self, number: int) -> None:
        """A day from the first reading to the released dollars."""
        day = Period(START_US + number * DAY_US, START_US + (number + 1) * DAY_US)
        receipt = self.do(
            f"ingest-{number}", day.stop_us, lambda world: ingest.ingest(world, self._roofs(day), day.stop_us)
        )
        (row,) = self.workspace.facts(receipt.first_seq + 1, receipt.first_seq + 2)
        readings = self.workspace.columns(row)
        assert readings is not None
        self.do(f"certify-{number}", day.stop_us, lambda world: certify.certify(world, [readings], "XX"))
        self._work(number, day)
        self._redeem(number, day)

    def _roofs(self, day: Period) -> list[bytes]:
        at_us = list(range(day.start_us + QUARTER_HOUR_US, day.stop_us + 1, QUARTER_HOUR_US))
        sun = np.clip(np.sin((np.arange(96) - 24) / 48 * np.pi), 0, None)
        raws = []
        for name, watts in ROOFS.items():
            gained = np.floor(np.cumsum(sun * watts / 4 * 0.9)).astype(np.int64)
            raws += self._packets(name, at_us, (self._reached.get(name, 0) + gained).tolist(), 4)
        return [*raws, raws[3], raws[5][:-9]]  # a replay and a garbled packet, refused and kept

    def _packets(self, device: str, at_us: list[int], position_wh: list[int], each: int) -> list[bytes]:
        sequence, previous = self._chains.get(device, (0, FIRST))
        raws = []
        for first in range(0, len(at_us), each):
            rows = slice(first, first + each)
            packet = Packet(device, sequence, previous, tuple(at_us[rows]), tuple(position_wh[rows]))
            raws.append(sign(packet, meter(device)))
            sequence, previous = sequence + 1, packet_hash(raws[-1])
        self._chains[device], self._reached[device] = (sequence, previous), position_wh[-1]
        return raws

    def _work(self, number: int, day: Period) -> None:
        hours, energy = self.workspace.read(lambda world: match.available_wh(world, day))
        dice = np.random.Generator(np.random.PCG64(number))
        arrived, tokens = np.sort(dice.integers(day.start_us, day.stop_us, 200)), dice.integers(20_000, 250_000, 200)
        done = run_service(arrived, tokens, hours, energy, MODEL)
        drawn = dict(zip(done.hour_us.tolist(), done.import_wh.tolist(), strict=True))
        at_us = list(range(day.start_us + HOUR_US, day.stop_us + 1, HOUR_US))
        position = self._reached.get(RACK, 0) + np.cumsum([drawn.get(at - HOUR_US, 0) for at in at_us])
        raws = self._packets(RACK, at_us, position.tolist(), 4)
        self.do(f"meter-{number}", day.stop_us, lambda world: ingest.ingest(world, raws, day.stop_us))
        rack, ran = self.workspace.read(lambda world: world.compute.racks[RACK]), done.import_wh > 0
        draw = match.Draw(rack, done.hour_us[ran], done.import_wh[ran])
        self.do(f"match-{number}", day.stop_us, lambda world: match.match(world, draw, day, "deal:first"))
        answers = serve.Answers(day, arrived[done.answered], tokens[done.answered], done, "buyer")
        self.do(f"serve-{number}", day.stop_us, lambda world: serve.record_answers(world, rack, answers, MODEL))
        self.do(f"bill-{number}", day.stop_us, lambda world: serve.bill_answers(world, rack, TERMS, day))

    def _redeem(self, number: int, day: Period) -> None:
        rack = self.workspace.read(lambda world: world.compute.racks[RACK])
        count = self.workspace.read(lambda world: sell.redeemable(world, TERMS.credit_class, rack))
        collect = originate.account_of(DEAL, "collect")
        root = hashlib.sha256(b"work").digest()
        self.do(
            f"redeem-{number}",
            day.stop_us,
            lambda world: sell.redeem(world, TERMS.credit_class, rack, "buyer", count, root, collect, day),
        )

    def anchor(self, at_us: int) -> None:
        """Sign the head and record it as anchored; `House.publish` puts it on chain."""
        tree = self.workspace.tree()
        size, before = len(tree), self.anchored[-1][0] if self.anchored else 0
        root = tree.root(size)
        note = sign_note(Checkpoint(ORIGIN, size, root), ORIGIN, LOG_KEY)
        self.anchored.append((size, root, tree.consistency_proof(before, size)))
        self.do(f"sign-{size}", at_us, lambda _: [Entry(CheckpointSigned(size, root, note))])
        self.do(f"anchored-{size}", at_us, lambda _: [Entry(CheckpointAnchored(size, root))])


def _as_it_is(entries: list[Entry]) -> list[Entry]:
    return entries


def meter(device: str) -> SigningKey:
    """The key of a meter."""
    return SigningKey(derive_seed(SEED, "meter", device))


@cache
def compiled(text: str) -> tuple[bytes, bytes]:
    _, program = originate.recompile(_originated(text))
    return program.code, program.deal_hash


def _originated(text: str) -> Any:
    entries = originate.originate(World(), DEAL, text, ())
    return entries[-1].fact


@cache
def deal_address() -> bytes:
    """Where the deal stands on every chain that `House` builds."""
    with new_node() as node:
        return bytes.fromhex(House.build(node, *compiled(terms_text())).deal.address[2:])


def make_record(path: Path, days: int = DAYS, text: str = "") -> Record:
    """A record of some days, each anchored; of the first deal, or of another with one measure more."""
    record = Record(path, text=text or terms_text())
    record.begin(deal_address())
    for number in range(days):
        record.day(number)
        record.anchor(START_US + (number + 1) * DAY_US)
    return record


@contextmanager
def chain_for(record: Record, governed: bool = False) -> Iterator[tuple[House, str]]:
    """A fresh chain with the record's checkpoints anchored, and its JSON-RPC address."""
    with new_node() as node:
        house = House.build(node, *compiled(record.text), governed)
        house.publish(record.anchored)
        with serve_rpc(node) as url:
            yield house, url


@dataclass(slots=True)
class Tampering:
    """A source that alters what it passes on. ``facts`` and ``segments`` by their place and digest."""

    honest: RecordSource
    facts_by_seq: dict[int, PublishedFact] = field(default_factory=dict)
    bytes_by_digest: dict[str, bytes] = field(default_factory=dict)
    asked: Callable[[Request], Request] = lambda one: one
    stop: int = 2**62

    def facts(self, start: int, stop: int) -> Sequence[PublishedFact]:
        found = self.honest.facts(start, min(stop, self.stop))
        return [self.facts_by_seq.get(fact.seq, fact) for fact in found]

    def segment(self, digest: str) -> bytes:
        return self.bytes_by_digest.get(digest) or self.honest.segment(digest)

    def requests(self, deal: str) -> Sequence[Request]:
        return [self.asked(one) for one in self.honest.requests(deal)]


def publication(record: Record) -> Publication:
    """The record as its operator publishes it."""
    return Publication(record.workspace.store)


@contextmanager
def attester(role: str, source: RecordSource, url: str, folder: Path) -> Iterator[Attester]:
    """An attester in this process; its memory of votes lies in ``folder``."""
    with VoteJournal(folder / f"{role}.votes") as votes:
        yield Attester(source, AnchorChain(JsonRpc(url)), key_of(role), votes, DEAL)


def first_of(record: Record, kind: str) -> PublishedFact:
    """The first fact of a kind, as published."""
    size = record.workspace.store.size()
    return next(fact for fact in publication(record).facts(0, size) if json.loads(fact.body)["kind"] == kind)


def resealed(raw: bytes, name: str, change: Callable[[dict[str, Any]], None]) -> tuple[bytes, Segment]:
    """A segment file with changed rows, well formed; and the segment."""
    digest = hashlib.sha256(raw).hexdigest()
    columns = {
        column: np.array(values) for column, values in from_parquet(pa.py_buffer(raw), FORMATS[name], digest).items()
    }
    change(columns)
    segment = Segment(FORMATS[name], columns)
    return to_parquet(segment).to_pybytes(), segment


def changing(place: int, **fields: Any) -> Change:
    """Replace fields of one fact of a command."""

    def change(entries: list[Entry]) -> list[Entry]:
        changed = list(entries)
        changed[place] = Entry(replace(entries[place].fact, **fields), entries[place].segment)
        return changed

    return change

"""Certificate, Badge and Kwh on both nodes: from a fact of the journal to a badge, and every refusal on the way."""

from __future__ import annotations

from typing import Any

import pytest
from eth_utils.crypto import keccak
from gas_certificate import DEADLINE_S, Scene, build
from lifting import Lift, id_of, lift_of, properties, values
from nodes import GENESIS_AT_S, Chain
from signing import permit

from penstock.chain.artefact import event, load_artefact
from penstock.energy.certificate_id import word

KIND = properties()
ID = id_of(KIND)
AT_US = GENESIS_AT_S * 10**6
DAY_S = 86_400
FAR_S = 2**40


@pytest.fixture
def scene(chain: Chain) -> Scene:
    return build(chain)


def events(scene: Scene, receipt: Any, name: str) -> list[dict[str, Any]]:
    """Events of that name, as the package's own reader decodes them."""
    artefact, found = load_artefact("Certificate"), []
    for log in receipt["logs"]:
        told = event(artefact, tuple(bytes(topic) for topic in log["topics"]), bytes(log["data"]))
        if log["address"] == scene.certificate.address and told and told[0] == name:
            found.append(told[1])
    return found


def lifted(scene: Scene, *units: int, role: str = "holder", kind: int = ID, at_us: int = AT_US) -> Lift:
    """A batch of so many titles, anchored, opened and minted to a role."""
    ends = [sum(units[: n + 1]) for n in range(len(units))]
    rows = [(7, end - unit, end, scene.at(role)) for end, unit in zip(ends, units, strict=True)]
    lift = lift_of(kind, rows, DEADLINE_S, at_us=at_us)
    scene.anchored(lift.body)
    scene.send(scene.opening(lift.batch), "relayer")
    for index in range(len(units)):
        scene.send(scene.act.lift(*lift.lifting(index)), "relayer")
    return lift


def held(scene: Scene, role: str, kind: int = ID) -> int:
    return int(scene.act.balanceOf(scene.at(role), kind).call())


def test_from_the_journal_to_a_badge(scene: Scene) -> None:
    lifted(scene, 600, 400)
    act = scene.act
    scene.send(act.safeTransferFrom(scene.at("holder"), scene.at("buyer"), ID, 700, b""), "holder")
    assert (held(scene, "holder"), held(scene, "buyer")) == (300, 700)
    receipt = scene.send(act.retire(ID, 500, "rack r1", "hour 14, matched"), "buyer")
    assert events(scene, receipt, "Retired") == [
        {
            "number": 0,
            "holder": scene.at("buyer").lower(),
            "id": ID,
            "amount": 500,
            "badge": 1,
            "beneficiary": "rack r1",
            "purpose": "hour 14, matched",
        }
    ]
    badge = scene.badge.functions
    at_s = scene.chain.w3.eth.get_block(receipt["blockNumber"])["timestamp"]
    assert tuple(badge.action(1).call()) == (scene.at("buyer"), at_s, 500, "rack r1", "hour 14, matched")
    assert badge.tokenURI(1).call() == "https://badges.example/1"
    assert badge.ownerOf(1).call() == scene.at("buyer")
    assert badge.balanceOf(scene.at("buyer")).call() == badge.totalSupply().call() == 1


def test_burns_have_one_number_each_without_a_gap(scene: Scene) -> None:
    other = id_of(properties(assurance=0))
    lifted(scene, 1000)
    lifted(scene, 1000, kind=other)
    act, holder = scene.act, scene.at("holder")
    steps = [
        act.lower(ID, 10, "investor"),
        act.retire_batch([ID, other, ID], [1, 2, 3], "", "three at once"),
        act.safeTransferAndClaimFrom(holder, scene.at("buyer"), other, 5, b"", b"for hour 14"),
        act.retire(ID, 4, "", ""),
    ]
    receipts = [scene.send(step, "holder") for step in steps]
    told = [
        one
        for receipt in receipts
        for name in ("Lowered", "Retired", "Claimed")
        for one in events(scene, receipt, name)
    ]
    assert [(one["number"], one["id"], one["amount"]) for one in told] == [
        (0, ID, 10), (1, ID, 1), (2, other, 2), (3, ID, 3), (4, other, 5), (5, ID, 4),
    ]  # fmt: skip
    assert scene.act.burns().call() == 6
    assert events(scene, receipts[0], "Lowered")[0]["account"] == "investor"
    assert {one["badge"] for one in events(scene, receipts[1], "Retired")} == {1}
    assert scene.badge.functions.action(1).call()[2] == 6
    (claim,) = events(scene, receipts[2], "ClaimSingle")
    assert (claim["issuer"], claim["subject"], claim["topic"]) == (holder.lower(), scene.at("buyer").lower(), 1)
    assert claim["data"] == b"for hour 14"
    assert act.claimedBalanceOf(scene.at("buyer"), other).call() == 5
    assert held(scene, "buyer", other) == 0


def test_the_same_titles_lifted_again_are_another_batch(scene: Scene) -> None:
    first = lifted(scene, 500)
    scene.send(scene.act.lower(ID, 500, "holder"), "holder")
    again = lifted(scene, 500, at_us=AT_US + 1)
    assert first.ref.root == again.ref.root
    assert held(scene, "holder") == 500
    why = scene.chain.refused(scene.act.lift(*first.lifting(0)), scene.by("attacker"))
    assert why == "certificate.lifted"


def test_only_what_the_journal_stated_is_minted(scene: Scene) -> None:
    act, refused, attacker = scene.act, scene.chain.refused, scene.by("attacker")
    deadline_s = scene.chain.now() + DAY_S
    lift = lift_of(ID, [(7, 0, 600, scene.at("holder")), (8, 50, 450, scene.at("holder"))], deadline_s, AT_US)
    assert refused(act.lift(*lift.lifting(0)), attacker) == "certificate.batch"
    batch, rows = lift.batch, lift.rows
    scene.anchored(lift.body, b"a later fact")
    size = len(scene.log.bodies)
    opening = scene.log.opening(lift, size)
    for place, other in ((0, AT_US + 1), (1, ID + 1), (2, deadline_s + 1), (3, 1001), (4, bytes(32)), (5, 3)):
        spoiled = (*batch[:place], other, *batch[place + 1 :])
        assert refused(act.open(spoiled, *opening[1:]), attacker) == "certificate.anchored"
    assert refused(act.open(batch, opening[1] + 1, size, opening[3]), attacker) == "certificate.anchored"
    assert refused(act.open(batch, opening[1], size - 1, opening[3]), attacker) == "certificate.anchored"
    scene.send(act.open(*opening), "relayer")
    assert refused(act.open(*opening), attacker) == "certificate.open"
    thief = (*rows[0][:3], scene.at("attacker"))
    for row in (thief, (8, 0, 600, rows[0][3]), (7, 1, 600, rows[0][3]), (7, 0, 601, rows[0][3])):
        assert refused(act.lift(batch, 0, row, lift.proof(0)), attacker) == "certificate.proof"
    assert refused(act.lift(batch, 1, rows[0], lift.proof(0)), attacker) == "certificate.proof"
    assert refused(act.lift(batch, 0, rows[0], [*lift.proof(0), bytes(32)]), attacker) == "certificate.proof"
    assert refused(act.lift(batch, 0, rows[0], []), attacker) == "certificate.proof"
    assert refused(act.lift(batch, 2, rows[0], lift.proof(0)), attacker) == "certificate.row"
    assert refused(act.lift(batch, 0, (7, 600, 600, rows[0][3]), lift.proof(0)), attacker) == "certificate.row"
    nobody = (7, 0, 600, "0x" + "0" * 40)
    assert refused(act.lift(batch, 0, nobody, lift.proof(0)), attacker) == "certificate.zero"
    scene.send(act.lift(*lift.lifting(0)), "relayer")
    assert refused(act.lift(*lift.lifting(0)), attacker) == "certificate.lifted"
    scene.chain.advance(DAY_S)
    assert refused(act.lift(*lift.lifting(1)), attacker) == "certificate.late"
    assert held(scene, "holder") == 600


def test_never_beyond_what_was_stated(scene: Scene) -> None:
    """A root whose rows come to more than the fact says mints what the fact says."""
    rows = [(n, 0, 100, scene.at("holder")) for n in range(130)]
    lift = lift_of(ID, rows, DEADLINE_S, AT_US, quantity=350)
    scene.anchored(lift.body)
    scene.send(scene.opening(lift.batch), "relayer")
    act = scene.act
    scene.send(act.lift(*lift.lifting(0)), "relayer")  # draws all that there is
    far = act.lift(*lift.lifting(129))
    assert scene.chain.refused(far, scene.by("relayer")) == "certificate.quantity"
    scene.send(act.give_back(lift.batch, [0, 1, 5]), "anyone")
    assert tuple(act.word_of(lift.batch, 0).call()) == (100, 100)
    scene.send(far, "relayer")
    scene.send(act.give_back(lift.batch, [1]), "anyone")
    scene.send(act.lift(*lift.lifting(1)), "relayer")
    assert scene.chain.refused(act.lift(*lift.lifting(2)), scene.by("relayer")) == "certificate.quantity"
    assert held(scene, "holder") == 300
    assert tuple(act.lifted(lift.batch).call()) == (True, 350)
    assert act.lifted_rows(lift.batch, 0, 2).call() == [0b11 | 1 << 129, 0]


def test_an_id_is_what_the_journal_hashes(scene: Scene) -> None:
    kinds = [KIND, properties(zone=word("a" * 32), stored=True, support=word("tariff"), carbon_mg_per_kwh=2**64 - 1)]
    for kind in kinds:
        assert scene.act.id_of(values(kind)).call() == id_of(kind)
        receipt = scene.send(scene.act.describe(values(kind)), "anyone")
        (told,) = events(scene, receipt, "Described")
        assert (told["id"], tuple(told["properties"])) == (id_of(kind), values(kind))


def test_refused_burns(scene: Scene) -> None:
    lifted(scene, 100)
    act, refused, holder = scene.act, scene.chain.refused, scene.by("holder")
    assert refused(act.lower(ID, 0, "holder"), holder) == "certificate.amount"
    assert refused(act.lower(ID, 101, "holder"), holder) == "certificate.balance"
    assert refused(act.lower(ID, 1, ""), holder) == "certificate.account"
    assert refused(act.retire(ID, 0, "", ""), holder) == "certificate.amount"
    assert refused(act.retire(ID, 1, "", ""), scene.by("attacker")) == "certificate.balance"
    assert refused(act.retire_batch([], [], "", ""), holder) == "certificate.lengths"
    assert refused(act.retire_batch([ID], [], "", ""), holder) == "certificate.lengths"
    assert refused(act.retire_batch([ID, ID], [60, 60], "", ""), holder) == "certificate.balance"
    claim = act.safeTransferAndClaimFrom(holder.address, scene.at("attacker"), ID, 1, b"", b"")
    assert refused(claim, scene.by("attacker")) == "certificate.not_approved"
    assert (held(scene, "holder"), act.burns().call()) == (100, 0)


def test_a_guardian_stops_lifting_and_nothing_else(scene: Scene) -> None:
    lifted(scene, 100)
    act, refused, guardian = scene.act, scene.chain.refused, scene.by("operator")
    lift = lift_of(ID, [(9, 0, 10, scene.at("holder"))], DEADLINE_S, AT_US + 5)
    later = lift_of(ID, [(9, 10, 20, scene.at("holder"))], DEADLINE_S, AT_US + 6)
    scene.anchored(lift.body, later.body)
    scene.send(scene.opening(lift.batch), "relayer")
    assert refused(act.stop_lifting(), scene.by("attacker")) == "roles.not_holder"
    assert refused(act.resume_lifting(), guardian) == "certificate.not_stopped"
    scene.send(act.stop_lifting(), "operator")
    assert refused(act.lift(*lift.lifting(0)), scene.by("relayer")) == "certificate.stopped"
    assert refused(scene.opening(later.batch), scene.by("relayer")) == "certificate.stopped"
    assert refused(act.stop_lifting(), guardian) == "certificate.stopped"
    scene.send(act.safeTransferFrom(scene.at("holder"), scene.at("buyer"), ID, 50, b""), "holder")
    scene.send(act.retire(ID, 10, "", ""), "buyer")
    scene.send(act.lower(ID, 10, "buyer"), "buyer")
    scene.chain.advance(7 * DAY_S)
    scene.send(act.lift(*lift.lifting(0)), "relayer")
    assert refused(act.stop_lifting(), guardian) == "certificate.stopped"  # never twice within seven days
    scene.chain.advance(7 * DAY_S)
    scene.send(act.stop_lifting(), "operator")
    scene.send(act.resume_lifting(), "operator")
    scene.send(scene.opening(later.batch), "relayer")


def test_a_badge_never_moves(scene: Scene) -> None:
    lifted(scene, 100)
    scene.send(scene.act.retire(ID, 100, "", ""), "holder")
    badge, holder, attacker = scene.badge.functions, scene.by("holder"), scene.by("attacker")
    moves = [
        badge.approve(attacker.address, 1),
        badge.setApprovalForAll(attacker.address, True),
        badge.transferFrom(holder.address, attacker.address, 1),
        badge.safeTransferFrom(holder.address, attacker.address, 1),
        badge.safeTransferFrom(holder.address, attacker.address, 1, b"note"),
    ]
    assert {scene.chain.refused(move, holder) for move in moves} == {"badge.locked"}
    assert scene.chain.refused(badge.mint(attacker.address, 1, "", ""), attacker) == "badge.minter"
    assert scene.chain.refused(badge.set_minter(attacker.address), attacker) == "badge.founder"
    assert scene.chain.refused(badge.set_minter(attacker.address), scene.by("operator")) == "badge.set"
    assert badge.locked(1).call()
    assert badge.getApproved(1).call() == "0x" + "0" * 40
    assert not badge.isApprovedForAll(holder.address, attacker.address).call()


@pytest.mark.parametrize(
    ("name", "supported"),
    [
        ("certificate", ["01ffc9a7", "d9b67a26", "0e89341c"]),
        ("badge", ["01ffc9a7", "80ac58cd", "5b5e139f", "b45a3c0e"]),
        ("kwh", ["01ffc9a7", "4e2312e0"]),
    ],
)
def test_interfaces(scene: Scene, name: str, supported: list[str]) -> None:
    asked = getattr(scene, name).functions.supportsInterface
    assert all(asked(bytes.fromhex(one)).call() for one in supported)
    assert not asked(bytes.fromhex("ffffffff")).call()
    assert keccak(text="locked(uint256)")[:4].hex() == "b45a3c0e"  # ERC-5192's one function is its id


def test_kwh_gives_certificates_from_the_head_of_the_queue(scene: Scene) -> None:
    kinds = [properties(interval_start_s=1_789_999_200 + 3600 * n) for n in range(3)]
    for n, kind in enumerate(kinds):
        lifted(scene, 2000, kind=id_of(kind), at_us=AT_US + n)
    act, kwh, holder = scene.act, scene.kwh.functions, scene.by("holder")
    assert scene.chain.refused(kwh.deposit(values(kinds[0]), 1000), holder) == "certificate.not_approved"
    scene.send(act.setApprovalForAll(scene.kwh.address, True), "holder")
    for n, amount in ((0, 1000), (1, 1500), (2, 1000), (2, 1000)):
        scene.send(kwh.deposit(values(kinds[n]), amount), "holder")
    assert (kwh.head().call(), kwh.tail().call()) == (0, 3)
    scene.send(kwh.transfer(scene.at("buyer"), 3000), "holder")
    scene.send(kwh.redeem(1200, 1), "buyer")  # one lot holds less than was asked
    assert kwh.balanceOf(scene.at("buyer")).call() == 2000
    scene.send(kwh.redeem(2000, 32), "buyer")
    assert [held(scene, "buyer", id_of(kind)) for kind in kinds] == [1000, 1500, 500]
    assert kwh.totalSupply().call() == 1500 == act.balanceOf(scene.kwh.address, id_of(kinds[2])).call()
    for amount, lots, why in ((0, 1, "kwh.amount"), (1, 0, "kwh.lots"), (1, 33, "kwh.lots"), (1501, 1, "kwh.balance")):
        assert scene.chain.refused(kwh.redeem(amount, lots), holder) == why


def test_kwh_admits_by_its_policy_alone(scene: Scene) -> None:
    chain = scene.chain
    strict = chain.deploy("Kwh", scene.certificate.address, word("NL"), 1, 1_789_999_200).functions
    holder = scene.by("holder")
    for changed, why in (
        ({"zone": word("DE")}, "kwh.zone"),
        ({"assurance": 2}, "kwh.assurance"),
        ({"interval_start_s": 1_789_999_199}, "kwh.oldest"),
    ):
        assert chain.refused(strict.deposit(values(properties(**changed)), 1000), holder) == why
    assert chain.refused(strict.deposit(values(KIND), 999), holder) == "kwh.amount"
    assert chain.refused(strict.deposit(values(KIND), 1000), holder) == "certificate.not_approved"


def test_certificates_sent_to_kwh_come_back(scene: Scene) -> None:
    """Only `deposit` puts certificates in the queue; anything else would lie there for good."""
    lifted(scene, 2000)
    act, holder, kwh = scene.act, scene.at("holder"), scene.kwh.address
    refused = scene.chain.refused
    assert refused(act.safeTransferFrom(holder, kwh, ID, 1, b""), scene.by("holder")) == "kwh.deposit"
    assert refused(act.safeBatchTransferFrom(holder, kwh, [ID], [1], b""), scene.by("holder")) == "kwh.deposit"
    to_kwh = lift_of(ID, [(9, 0, 1000, kwh)], DEADLINE_S, AT_US + 9)
    scene.anchored(to_kwh.body)
    scene.send(scene.opening(to_kwh.batch), "relayer")
    assert refused(act.lift(*to_kwh.lifting(0)), scene.by("relayer")) == "kwh.deposit"


def test_kwh_is_an_erc20_with_permits(scene: Scene) -> None:
    lifted(scene, 5000)
    kwh, holder, buyer = scene.kwh.functions, scene.by("holder"), scene.at("buyer")
    scene.send(scene.act.setApprovalForAll(scene.kwh.address, True), "holder")
    scene.send(kwh.deposit(values(KIND), 5000), "holder")
    terms = (holder.address, scene.at("spender"), 700, 0, FAR_S)
    signed = permit(scene.chain, scene.kwh, holder, *terms)
    scene.send(kwh.permit(*terms[:3], FAR_S, *signed), "relayer")
    assert scene.chain.refused(kwh.permit(*terms[:3], FAR_S, *signed), scene.by("relayer")) == "signed.wrong_signer"
    scene.send(kwh.transferFrom(holder.address, buyer, 600), "spender")
    assert scene.chain.refused(kwh.transferFrom(holder.address, buyer, 101), scene.by("spender")) == "kwh.allowance"
    assert scene.chain.refused(kwh.permit(*terms[:3], 1, *signed), scene.by("relayer")) == "kwh.expired"
    for nowhere in ("0x" + "0" * 40, scene.kwh.address):
        assert scene.chain.refused(kwh.transfer(nowhere, 1), holder) == "kwh.zero"
    assert (kwh.decimals().call(), kwh.symbol().call(), kwh.balanceOf(buyer).call()) == (3, "kWh", 600)

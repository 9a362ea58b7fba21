"""The attesters' set changed on a real chain: signed by enough, announced, executed after two days, recorded."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from penstock.chain.client import ChainClient
from penstock.chain.node import Genesis, Node
from penstock.chain.provider import NodeProvider
from penstock.chain.typed_data import (
    Attestation,
    SetChange,
    anchor_domain,
    attestation_message,
    report_word,
    sign_typed,
)
from penstock.errors import PenstockError
from penstock.journal.kinds.seating import AttesterUnseated
from penstock.journal.kinds.servicing import DealRole, RoleAppointed
from penstock.keys import ChainKey, derive_seed
from penstock.period import SECOND_US, parse_iso
from penstock.usecases.chain_desk import ChainDesk
from penstock.usecases.launch import Roles, adopt_chain, launch
from penstock.usecases.originate import originate
from penstock.usecases.reseat import execute, follow_seats, know_anchor, propose, show
from penstock.usecases.seats import ANCHOR, NOBODY, Seats, expulsions, read_seats, text_of
from penstock.usecases.servicing.appoint import appoint
from penstock.usecases.signed_change import SignedChange, asked_change, read_signed, sign_change, written
from penstock.usecases.workspace import Workspace

ROOT = Path(__file__).resolve().parents[2]
AT_US = parse_iso("2016-08-22T07:00:00Z")
DELAY_S = 48 * 3_600
DEAL, TEXT = "first", (ROOT / "examples/deals/first.yaml").read_text()
ROLES = ("operator", "trustee", "stranger", "attester-1", "attester-2", "attester-3", "newcomer", "another")
KEYS = {role: ChainKey(derive_seed(b"reseat", role)) for role in ROLES}
AT = {role: key.address for role, key in KEYS.items()}
SITTING = ("attester-1", "attester-2", "attester-3")


class Scene:
    """A launched deal under an anchor with three attesters, two of whom suffice."""

    def __init__(self, folder: Path, node: Node | None = None) -> None:
        self.workspace, self.now_s = Workspace(folder), AT_US // SECOND_US
        genesis = Genesis(dict.fromkeys(AT.values(), 10**20), at_s=self.now_s - 1)
        self.client = ChainClient(NodeProvider(node or Node(genesis, now=lambda: self.now_s)))
        desk = ChainDesk(self.workspace, self.client, KEYS["operator"])
        roles = Roles(tuple(AT[role] for role in SITTING), AT["trustee"], AT["trustee"], AT["operator"])
        adopt_chain(self.workspace, desk, roles, AT_US)
        self.workspace.submit("deal", b"", AT_US, lambda world: originate(world, DEAL, TEXT, ()))
        launch(self.workspace, desk, DEAL, roles, AT_US)

    def desk(self, role: str = "stranger") -> ChainDesk:
        made = ChainDesk(self.workspace, self.client, KEYS[role])
        know_anchor(self.workspace, made)
        return made

    @property
    def anchor(self) -> bytes:
        return self.desk().contract(ANCHOR).address

    @property
    def seats(self) -> Seats:
        return read_seats(self.client, self.anchor)

    def change(self, added: str = "", removed: str = "", quorum: int = 0) -> SetChange:
        return asked_change(self.seats, AT.get(added, NOBODY), AT.get(removed, NOBODY), quorum, NOBODY)

    def signed(self, change: SetChange, *roles: str) -> list[SignedChange]:
        """As they arrive: written to a file and read back."""
        made = [sign_change(KEYS[role], self.seats, change) for role in roles]
        return [read_signed(written(one).encode()) for one in made]

    def propose(self, change: SetChange, *roles: str, instead: bool = False) -> SetChange:
        return propose(self.workspace, self.desk(), self.signed(change, *roles), AT_US, instead=instead)

    def execute(self) -> int:
        return execute(self.workspace, self.desk(), AT_US)

    def carried_out(self, change: SetChange, *roles: str) -> int:
        self.propose(change, *roles)
        self.now_s += DELAY_S
        return self.execute()

    def sitting(self) -> set[str]:
        """Roles that sit on chain."""
        return {role for role in ROLES if AT[role] in self.seats.attesters}

    def recorded(self) -> set[str]:
        """Roles that attest by the journal."""
        roles = self.workspace.read(lambda world: dict(world.capital.servicing.of(DEAL).roles))
        return {role for role in ROLES if text_of(AT[role]) in roles.get(DealRole.ATTESTER, ())}

    def facts(self) -> list[Any]:
        found = (row.recorded.fact for row in self.workspace.facts())
        return [one for one in found if isinstance(one, RoleAppointed | AttesterUnseated)]


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path / "plant")
    with made.workspace:
        yield made


def refused(act: Any, *args: Any, **more: Any) -> str:
    with pytest.raises(PenstockError) as raised:
        act(*args, **more)
    return raised.value.code


def test_one_attester_takes_anothers_seat_after_two_days_and_the_journal_says_so(scene: Scene) -> None:
    change = scene.change("newcomer", "attester-3")
    assert scene.propose(change, "attester-1", "attester-2") == change
    blocks = scene.client.head().number
    assert scene.propose(change, "attester-2", "attester-1") == change  # the same again is the same change
    assert refused(scene.execute) == "reseat.too_early"
    scene.now_s += DELAY_S - 1
    assert refused(scene.execute) == "reseat.too_early"
    assert scene.client.head().number == blocks  # nothing was sent in vain
    assert (scene.sitting(), scene.recorded()) == (set(SITTING), set(SITTING))
    scene.now_s += 1
    assert scene.execute() == 1
    assert scene.sitting() == scene.recorded() == {"attester-1", "attester-2", "newcomer"}
    said = RoleAppointed(
        DEAL,
        DealRole.ATTESTER,
        text_of(AT["newcomer"]),
        text_of(AT["attester-3"]),
        "The attesters' change 0 was executed on chain.",
    )
    assert scene.facts()[-1] == said
    assert (scene.seats.epoch, scene.seats.quorum, scene.seats.nonce, scene.seats.announced) == (1, 2, 1, False)
    assert refused(scene.execute) == "reseat.nothing"
    assert follow_seats(scene.workspace, scene.desk(), AT_US) == 0


def test_one_comes_then_one_goes_and_the_quorum_with_them(scene: Scene) -> None:
    scene.carried_out(scene.change("newcomer", quorum=3), "attester-1", "attester-2")
    assert (scene.recorded(), scene.seats.quorum) == ({*SITTING, "newcomer"}, 3)
    assert refused(scene.propose, scene.change("another"), "attester-1", "newcomer") == "reseat.too_few"
    scene.carried_out(scene.change(removed="attester-1", quorum=2), "attester-1", "attester-2", "newcomer")
    assert scene.sitting() == scene.recorded() == {"attester-2", "attester-3", "newcomer"}
    gone = AttesterUnseated(DEAL, text_of(AT["attester-1"]), "The attesters' change 1 was executed on chain.")
    assert scene.facts()[-1] == gone


def test_what_somebody_did_on_chain_alone_is_recorded_afterwards_in_its_order(scene: Scene) -> None:
    act = scene.desk("stranger").act
    for added, removed in (("newcomer", "attester-3"), ("another", "newcomer")):
        change = scene.change(added, removed)
        words = [one.signature for one in scene.signed(change, "attester-1", "attester-2")]
        act(f"p{change.nonce}", ANCHOR, "propose", change.as_tuple(), words)
        scene.now_s += DELAY_S
        act(f"e{change.nonce}", ANCHOR, "execute", change.as_tuple())
    assert scene.facts() == []
    assert scene.execute() == 5  # nothing is announced: it catches up
    taken = [(one.account, one.replaces) for one in scene.facts()[3:]]
    pairs = (("newcomer", "attester-3"), ("another", "newcomer"))
    assert taken == [(text_of(AT[came]), text_of(AT[went])) for came, went in pairs]
    assert scene.recorded() == scene.sitting()


def test_a_death_after_the_chain_and_before_the_journal_is_made_good(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene.propose(scene.change("newcomer", "attester-3"), "attester-1", "attester-2")
    scene.now_s += DELAY_S
    written_down, calls = follow_seats, [0]

    def dies_at_the_second(*args: Any) -> int:
        calls[0] += 1
        if calls[0] == 2:
            raise KeyboardInterrupt
        return written_down(*args)

    monkeypatch.setattr("penstock.usecases.reseat.follow_seats", dies_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        scene.execute()
    assert ("newcomer" in scene.sitting(), "newcomer" in scene.recorded()) == (True, False)
    assert scene.execute() == 1
    assert scene.recorded() == scene.sitting()


def test_an_expelled_attester_leaves_the_journal_and_never_returns(scene: Scene) -> None:
    desk, subject = scene.desk("attester-2"), text_of(AT["stranger"])
    scene.desk("operator").act("register", ANCHOR, "register", AT["stranger"], AT["operator"])
    scene.propose(scene.change("newcomer", "attester-3"), "attester-1", "attester-2")
    _tell_two_words(scene, desk, subject, "attester-1")
    assert not scene.seats.announced  # an expulsion drops what is announced
    assert scene.execute() == 1
    assert scene.facts()[-1].reason == "Expelled on chain: it signed two words for one as-of."
    assert scene.recorded() == scene.sitting() == {"attester-2", "attester-3"}
    back, both = scene.change("attester-1"), ("attester-2", "attester-3")
    assert refused(scene.seats.check, back, expulsions(scene.client, scene.anchor)) == "reseat.expelled"
    assert refused(scene.propose, back, *both) == "reseat.expelled"
    assert refused(scene.signed, scene.change("newcomer"), "attester-1") == "reseat.not_attester"


def _tell_two_words(scene: Scene, desk: ChainDesk, subject: str, role: str) -> None:
    now_s = scene.client.head().at_s
    words = [report_word((value, 0, 0), now_s, now_s + 10**6) for value in (1, 2)]
    told = [Attestation(subject, word, bytes(32), 0, bytes(32), 0) for word in words]
    domain = anchor_domain(scene.seats.chain_id, text_of(scene.anchor))
    pairs = [(one.as_tuple(), sign_typed(KEYS[role].secret, attestation_message(domain, one))) for one in told]
    desk.act("expose", ANCHOR, "expose", *pairs[0], *pairs[1])


def test_a_change_announced_gives_way_only_where_that_is_said(scene: Scene) -> None:
    scene.propose(scene.change("newcomer", "attester-3"), "attester-1", "attester-2")
    rival = scene.change("another", "attester-3")
    assert refused(scene.propose, rival, "attester-2", "attester-3") == "reseat.pending"
    scene.propose(rival, "attester-2", "attester-3", instead=True)
    row = show(scene.client, scene.anchor)
    assert row["pending"]["added"] == text_of(AT["another"])
    assert row["pending"]["executable_from_s"] == scene.client.head().at_s + DELAY_S
    scene.now_s += DELAY_S
    scene.execute()
    assert scene.sitting() == {"attester-1", "attester-2", "another"}
    nothing = scene.change()
    scene.carried_out(nothing, "attester-1", "another")
    assert (scene.sitting(), scene.seats.epoch) == ({"attester-1", "attester-2", "another"}, 2)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (("newcomer", "stranger", 2), "reseat.unknown"),
        (("attester-1", "attester-2", 2), "reseat.seated"),
        (("attester-1", "attester-1", 2), "reseat.seated"),
        (("newcomer", "attester-1", 4), "reseat.quorum"),
        (("", "attester-1", 3), "reseat.quorum"),
    ],
)
def test_a_change_the_anchor_would_refuse_is_refused_in_words(
    scene: Scene, change: tuple[str, str, int], code: str
) -> None:
    asked = scene.change(*change)
    assert refused(scene.seats.check, asked, lambda _: False) == code
    assert refused(scene.propose, asked, "attester-1", "attester-2") == code


def test_a_quorum_of_nobody_a_full_set_and_a_turn_that_is_past(scene: Scene) -> None:
    seats, change = scene.seats, scene.change("newcomer")
    full = replace(seats, attesters=tuple(bytes([n]) * 20 for n in range(1, 17)))
    assert refused(seats.check, replace(change, quorum=0), lambda _: False) == "reseat.quorum"
    assert refused(full.check, change, lambda _: False) == "reseat.full"
    assert refused(seats.check, replace(change, nonce=1), lambda _: False) == "reseat.nonce"
    old = scene.signed(change, "attester-1", "attester-2")
    scene.carried_out(change, "attester-1", "attester-2")
    assert refused(propose, scene.workspace, scene.desk(), old, AT_US) == "reseat.nonce"


def test_signatures_that_do_not_add_up(scene: Scene) -> None:
    change = scene.change("newcomer", "attester-3")
    one, two = scene.signed(change, "attester-1", "attester-2")
    (other,) = scene.signed(scene.change("another", "attester-3"), "attester-2")
    lists = {
        "reseat.too_few": [one],
        "reseat.signed_twice": [one, one],
        "reseat.other_change": [one, other],
        "reseat.other_anchor": [one, replace(two, chain_id=1)],
        "reseat.not_attester": [one, replace(two, signer=AT["stranger"])],
    }
    found = {code: refused(propose, scene.workspace, scene.desk(), said, AT_US) for code, said in lists.items()}
    assert found == {code: code for code in lists}
    assert refused(propose, scene.workspace, scene.desk(), [], AT_US) == "reseat.too_few"
    assert refused(scene.signed, change, "stranger") == "reseat.not_attester"
    assert not scene.seats.announced


def test_a_handed_over_file_is_what_was_signed_or_nothing(scene: Scene) -> None:
    (one,) = scene.signed(scene.change("newcomer", "attester-3"), "attester-1")
    whole = one.to_json()
    assert KEYS["attester-1"].secret.hex() not in written(one)
    for field, other in (("quorum", 1), ("nonce", 5), ("added", text_of(AT["another"]))):
        body = {**whole, "change": {**whole["change"], field: other}}
        assert refused(read_signed, json.dumps(body).encode()) == "reseat.signature"
    for field, other in (("signer", text_of(AT["attester-2"])), ("chain_id", 1), ("anchor", text_of(AT["another"]))):
        assert refused(read_signed, json.dumps({**whole, field: other}).encode()) == "reseat.signature"
    for name, value in (("v", 29), ("r", "0x" + "00" * 32), ("s", "0x" + "ff" * 32)):
        body = {**whole, "signature": {**whole["signature"], name: value}}
        assert refused(read_signed, json.dumps(body).encode()) == "reseat.signature"


@pytest.mark.parametrize("raw", [b"", b"[]", b"{}", b"null", b"7", b'"x"', b"\xff", b"[" * 9_000, b" " * 5_000])
def test_what_is_no_such_file(raw: bytes) -> None:
    assert refused(read_signed, raw) == "reseat.malformed"


def test_a_file_with_a_field_of_another_kind_is_malformed(scene: Scene) -> None:
    (one,) = scene.signed(scene.change("newcomer", "attester-3"), "attester-1")
    whole = one.to_json()
    for field, wrong in product(whole, (None, True, -1, 1.5, "", "0x", [], {}, 2**64)):
        assert refused(read_signed, json.dumps({**whole, field: wrong}).encode()) == "reseat.malformed", field
        left = {name: value for name, value in whole.items() if name != field}
        assert refused(read_signed, json.dumps(left).encode()) == "reseat.malformed"
    for field, wrong in product(whole["change"], (None, True, -1, "", "0x12", [])):
        body = {**whole, "change": {**whole["change"], field: wrong}}
        assert refused(read_signed, json.dumps(body).encode()) == "reseat.malformed", field


def test_the_sponsor_may_sit_and_attests_others_deals_only(scene: Scene) -> None:
    def sponsored(world: Any) -> Any:
        return appoint(world, DEAL, DealRole.SPONSOR, text_of(AT["newcomer"]), "It brought the deal.")

    scene.workspace.submit("sponsor", b"", AT_US, sponsored)
    scene.carried_out(scene.change("newcomer", "attester-3"), "attester-1", "attester-2")
    assert scene.sitting() == {"attester-1", "attester-2", "newcomer"}
    assert scene.recorded() == {"attester-1", "attester-2"}
    assert {one.by for one in scene.facts()[1:]} == {text_of(AT["newcomer"])}  # by whom the journal lets it be told
    assert follow_seats(scene.workspace, scene.desk(), AT_US) == 0


def test_whom_somebody_appointed_by_hand_gives_way_to_the_chain(scene: Scene) -> None:
    for account in ("house-attester", text_of(AT["another"])):

        def by_hand(world: Any, account: str = account) -> Any:
            return appoint(world, DEAL, DealRole.ATTESTER, account, "")

        scene.workspace.submit(account, b"", AT_US, by_hand)
    assert follow_seats(scene.workspace, scene.desk(), AT_US) == 3
    assert scene.recorded() == set(SITTING)
    held = scene.workspace.read(lambda world: world.capital.servicing.of(DEAL).roles[DealRole.ATTESTER])
    assert "house-attester" in held  # no account on chain: none of the anchor's business

"""Accounts at the desk: recorded on a real workspace, once for each key, read back and replayed to the same world."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from device_kit import hours
from participant_kit import ADMINISTRATOR, APPROVER, ORGANISATION, TRADER, Members
from small_plant import DAYS, Plant
from typer.testing import CliRunner

from penstock.cli.main import app
from penstock.errors import Conflict, Invalid, NotFound, PenstockError, Unavailable
from penstock.journal.fact import Entry
from penstock.journal.kinds.account import (
    AccountAssigned,
    ActApproved,
    ApprovalRuled,
    MemberPlaced,
    OrderEnded,
    OrderPlaced,
    OrganisationRegistered,
    ProposalDropped,
    Recurring,
    Role,
    WhitelistStated,
)
from penstock.journal.kinds.ledger import WorkspaceOpened
from penstock.period import DAY_US, Period
from penstock.usecases.inspect import certificates
from penstock.usecases.registry.account import account, consent_on, say_on
from penstock.usecases.registry.approve import (
    Propose,
    approve_on,
    drop_on,
    propose,
    propose_on,
)
from penstock.usecases.registry.certificate_life import life_of
from penstock.usecases.registry.certificate_rows import certificate_id
from penstock.usecases.registry.export_certificates import Export, export_on, exported_csv, read_named
from penstock.usecases.registry.import_certificates import Import, import_on
from penstock.usecases.registry.match_hours import Hours
from penstock.usecases.registry.proposable import asked_of_json, read_asked
from penstock.usecases.registry.recurring import end_order_on, order_rows, place_order_on, run_orders_on
from penstock.usecases.registry.selection import Named, Selection
from penstock.usecases.registry.transfer import Transfer
from penstock.usecases.trail import Trail
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

NOW_US = DAYS[-1].stop_us
SALE = Transfer("roof-a", "buyer", Selection(quantity_wh=60_000))


@pytest.fixture
def desk(plant: Plant) -> Workspace:
    """The cooperative has roof-a; a sale of 50 kWh takes two."""
    opened = Entry(WorkspaceOpened("plant.example", bytes(32)))
    plant.do("opened", lambda _: [opened])
    plant.certified(0)
    for fact in (
        OrganisationRegistered(ORGANISATION),
        MemberPlaced(ORGANISATION, ADMINISTRATOR, (Role.ADMINISTRATOR,)),
        MemberPlaced(ORGANISATION, TRADER, (Role.TRADER,)),
        MemberPlaced(ORGANISATION, APPROVER, (Role.APPROVER,)),
        AccountAssigned("roof-a", ORGANISATION),
        ApprovalRuled(ORGANISATION, ("transfer",), 50_000),
    ):
        say_on(plant.workspace, fact, NOW_US)
    return plant.workspace


def held_wh(desk: Workspace, name: str) -> int:
    found: int = desk.read(lambda world: account(world, name))["certificates_wh"].get("held", 0)
    return found


def replayed(desk: Workspace) -> World:
    """The world made anew from the record: every permission is checked once more."""
    world = World()
    for row in desk.facts():
        world.apply(row.recorded, desk.columns(row))
    return world


def check_replays(desk: Workspace) -> None:
    world = replayed(desk)
    kept = desk.read(lambda one: (one.participants.digest(), one.foreign.digest(), one.books.digest()))
    assert (world.participants.digest(), world.foreign.digest(), world.books.digest()) == kept


def test_a_sale_by_two_members_is_recorded_once(desk: Workspace) -> None:
    asked = Propose(SALE, NOW_US + DAY_US, TRADER)
    row = propose_on(desk, "propose", asked, NOW_US)
    assert (row["proposal"], row["state"], row["energy_wh"], row["repeated"]) == (1, "open", 60_000, False)
    assert propose_on(desk, "propose", asked, NOW_US)["repeated"]
    with pytest.raises(Conflict):
        propose_on(desk, "propose", replace(asked, by=APPROVER), NOW_US)
    done = [approve_on(desk, "approve", ActApproved(1, APPROVER), NOW_US) for _ in range(2)]
    assert [one.repeated for one in done] == [False, True]
    assert held_wh(desk, "buyer") == 60_000
    check_replays(desk)


def test_a_dropped_proposal_stays_dropped(desk: Workspace) -> None:
    propose_on(desk, "propose", Propose(SALE, NOW_US + DAY_US, TRADER), NOW_US)
    assert drop_on(desk, "drop", ProposalDropped(1, TRADER), NOW_US)["state"] == "dropped"
    with pytest.raises(PenstockError, match="dropped"):
        approve_on(desk, "approve", ActApproved(1, APPROVER), NOW_US)
    assert held_wh(desk, "buyer") == 0


def test_the_same_may_be_said_again(desk: Workspace) -> None:
    first = say_on(desk, WhitelistStated("buyer", ()), NOW_US)
    say_on(desk, WhitelistStated("buyer", (), everyone=True), NOW_US)
    again = say_on(desk, WhitelistStated("buyer", ()), NOW_US)
    assert first["first_seq"] + 2 == again["first_seq"] and not again["repeated"]
    keyed = [say_on(desk, WhitelistStated("buyer", ("roof-a",)), NOW_US, "key") for _ in range(2)]
    assert [one["repeated"] for one in keyed] == [False, True]
    assert "plant.example" in consent_on(desk, "buyer", bytes(20))


def test_orders_are_run_once_an_issue_and_survive_a_replay(plant: Plant, desk: Workspace) -> None:
    asked = OrderPlaced(0, "roof-b", Recurring.TRANSFER, "investor", 0, 2_500, 0)
    assert place_order_on(desk, "order", asked, NOW_US)["order"] == 1
    assert run_orders_on(desk, NOW_US).acts[0]["kind"] == "order.run"  # an issue from before it was placed
    assert held_wh(desk, "investor") == 0
    before_wh = held_wh(desk, "roof-b")
    plant.certified(1)
    for _ in range(3):
        run_orders_on(desk, NOW_US)
    (row,) = desk.read(order_rows)
    assert 0 < row["taken_wh"] == held_wh(desk, "investor") <= (held_wh(desk, "roof-b") - before_wh) // 3 + 24
    assert end_order_on(desk, "end", OrderEnded(1), NOW_US)["state"] == "ended"
    check_replays(desk)


def test_a_file_goes_out_and_comes_back(desk: Workspace, tmp_path: Path) -> None:
    asked = Export("roof-a", "other.example", Selection((Named("roof-a/export", 1_000, 2_000),)))
    done, text = export_on(desk, "export", asked, NOW_US)
    assert exported_csv(desk, done.first_seq) == text
    file = tmp_path / "back.csv"
    file.write_text(text)
    terms = Import("buyer", "other.example", "energytag", b"")
    done, told = import_on(desk, "", file, terms, NOW_US)
    assert told == {"rows": 1, "verdicts": {"returned": 1}, "refused": []}
    done, told = import_on(desk, "", file, terms, NOW_US)
    assert (told["verdicts"], told["refused"][0]["verdict"], done.acts) == ({"not_exported": 1}, "not_exported", ())
    file.write_text(text.replace("plant.example", "third.example"))
    done, told = import_on(desk, "", file, terms, NOW_US)
    assert told["verdicts"] == {"accepted": 1} and held_wh(desk, "buyer") == 2_000
    check_replays(desk)


def test_a_workspace_without_a_name_exports_nothing(plant: Plant) -> None:
    plant.certified(0)
    with pytest.raises(PenstockError) as caught:
        export_on(plant.workspace, "export", Export("roof-a", "other", Selection(quantity_wh=1)), NOW_US)
    assert caught.value.code == "export.no_origin"


@pytest.mark.parametrize(("registry", "code"), [("", "export.registry"), ("plant.example", "export.registry")])
def test_an_export_names_another_registry(desk: Workspace, registry: str, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        export_on(desk, "export", Export("roof-a", registry, Selection(quantity_wh=1)), NOW_US)
    assert caught.value.code == code
    with pytest.raises(Invalid) as caught:
        exported_csv(desk, 0)
    assert caught.value.code == "export.seq"


@pytest.mark.parametrize("text", ["", "roof", "roof:1", "roof:1:x", ":1:2", "roof:-1:2", "roof:1:2:3"])
def test_what_names_no_certificate(text: str) -> None:
    with pytest.raises(Invalid) as caught:
        read_named(text)
    assert caught.value.code == "export.certificate"
    assert read_named("roof/export:1:20") == Named("roof/export", 1, 20)


def test_an_act_in_json_leaves_out_what_is_as_by_default() -> None:
    said = {"account": "roof-a", "target": "buyer", "selection": {"quantity_wh": 60_000}}
    assert asked_of_json(json.dumps({"act": "Transfer", "asked": said}).encode()) == SALE
    spans = {"account": "roof-a", "target": "buyer", "selection": {"spans": [{"register": "r", "start": 0, "stop": 9}]}}
    found = asked_of_json(json.dumps({"act": "Transfer", "asked": spans | {"by": "attacker"}}).encode())
    assert found == Transfer("roof-a", "buyer", Selection((Named("r", 0, 9),)))
    hours_asked = {"account": "a", "start_us": 0, "stop_us": 5}
    assert asked_of_json(json.dumps({"act": "Hours", "asked": hours_asked}).encode()) == Hours("a", 0, 5)


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "proposal.json"),
        (b"[]", "proposal.json"),
        (b'{"act": "Transfer", "asked": ' + b'{"selection": ' * 50_000, "proposal.json"),
        (b'{"act": "Transfer"}', "proposal.json"),
        (b'{"act": "Transfer", "asked": {"account": "roof-a"}}', "proposal.json"),
        (b'{"act": "Transfer", "asked": {"account": "a", "target": "b", "selection": {}, "more": 1}}', "proposal.json"),
        (b'{"act": "Transfer", "asked": {"account": "a", "target": 1.5, "selection": {}}}', "proposal.json"),
        (b'{"act": "Withdrawal", "asked": {}}', "proposal.act"),
    ],
)
def test_what_is_no_act_in_json(raw: bytes, code: str) -> None:
    with pytest.raises(Invalid) as caught:
        asked_of_json(raw)
    assert caught.value.code == code


def test_two_members_do_not_decide_over_anothers_consumption() -> None:
    members = Members()
    members.with_hours()
    asked = Propose(Hours("owner", hours(0), hours(9), ("owner", "buyer")), hours(48), TRADER)
    assert members.refused(propose, asked) == "proposal.organisation"


def test_what_was_proposed_is_read_back_as_it_was(desk: Workspace) -> None:
    propose_on(desk, "propose", Propose(SALE, NOW_US + DAY_US, TRADER), NOW_US)
    found = desk.read(lambda world: world.participants.approvals.proposal(1).proposed)
    assert read_asked(found) == SALE and Period(0, found.expires_us)
    with pytest.raises(Invalid):
        read_asked(replace(found, asked='{"act":"Nothing","asked":{}}'))
    with pytest.raises(NotFound):
        desk.read(lambda world: world.participants.approvals.proposal(2))


def test_the_command_line(desk: Workspace, tmp_path: Path) -> None:
    """One walk through every command of the room; each says what it did as JSON."""
    folder = desk.path
    desk.__exit__(None, None, None)
    runner = CliRunner()

    def run(*words: str, exit_code: int = 0) -> Any:
        result = runner.invoke(app, ["certificate", *words, "-w", str(folder), "--json"])
        assert (result.exit_code != 0) == bool(exit_code), result.output
        return json.loads(result.output) if not exit_code else result.exception

    sale = tmp_path / "sale.json"
    said = {"account": "roof-a", "target": "buyer", "selection": {"quantity_wh": 60_000}}
    sale.write_text(json.dumps({"act": "Transfer", "asked": said}))
    run("account", "organisation", "mill")
    run("account", "member", "mill", "0" * 12, "--role", "viewer")
    assert run("account", "member", "mill", "0" * 12, "--role", "king", exit_code=1).code == "account.roles"
    run("account", "assign", "roof-d", "mill")
    run("account", "whitelist", "buyer", "--source", "roof-a")
    run("account", "rule", "--organisation", "mill", "--act", "retire")
    assert "roof-a" in run("account", "wallet", "roof-a", "0x" + "ab" * 20)["sign"]
    bound = ("account", "wallet", "roof-a", "0x" + "ab" * 20)
    assert run(*bound, "--signature", "00", exit_code=1).code == "wallet.signature"
    assert run(*bound, "--release", exit_code=1).code == "wallet.unknown"
    assert run("account", "propose", str(sale), "--by", TRADER)["proposal"] == 1
    assert run("account", "approve", "1", "--by", APPROVER)["acts"][1]["quantity_wh"] == 60_000
    assert run("account", "propose", str(sale), "--by", TRADER)["proposal"] == 2
    assert run("account", "drop", "2")["state"] == "dropped"
    assert [row["state"] for row in run("account", "proposals")["proposals"]] == ["dropped", "executed"]
    found = run("account", "list", "--organisation", "mill")
    assert [row["account"] for row in found["accounts"]] == ["roof-d"] and len(found["organisations"]) == 2
    assert run("account", "audit", "roof-a", "--limit", "2")["facts"] > 2
    assert run("order", "place", "roof-b", "transfer", "--target", "investor", "--share", "2500")["order"] == 1
    assert run("order", "place", "roof-b", "burn", exit_code=1).code == "order.act"
    run("order", "run")
    assert run("order", "end", "1")["state"] == "ended" and len(run("order", "list")["orders"]) == 1
    out = tmp_path / "out.csv"
    wanted = ("--account", "roof-b", "--registry", "other.example")
    sent = run("exchange", "export", str(out), *wanted, "--certificate", "roof-b/export:10:20")
    again = tmp_path / "again.csv"
    assert run("exchange", "file", str(sent["first_seq"]), str(again))["rows"] == 1
    assert again.read_text() == out.read_text()
    assert run("exchange", "import", str(out), *wanted)["verdicts"] == {"returned": 1}


def test_a_run_that_could_not_be_recorded_is_run_again_and_takes_once(
    plant: Plant, desk: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    place_order_on(desk, "order", OrderPlaced(0, "roof-b", Recurring.TRANSFER, "investor", 500, 0, 0), NOW_US)
    plant.certified(1)

    def full(_: object) -> None:
        raise Unavailable("store.full", "The disk is full.")

    with monkeypatch.context() as broken:
        broken.setattr(desk.store, "commit", full)
        with pytest.raises(Unavailable):
            run_orders_on(desk, NOW_US)
    assert held_wh(desk, "investor") == 0
    run_orders_on(desk, NOW_US)
    taken_wh = held_wh(desk, "investor")
    run_orders_on(desk, NOW_US)
    assert held_wh(desk, "investor") == taken_wh == desk.read(order_rows)[0]["taken_wh"] > 0
    check_replays(desk)


def test_an_imported_certificate_is_shown_like_any_other(desk: Workspace, tmp_path: Path) -> None:
    """Its register has no device here: what tells of certificates says so, and does not fail."""
    _, text = export_on(desk, "export", Export("roof-a", "other.example", Selection(quantity_wh=500)), NOW_US)
    file = tmp_path / "third.csv"
    file.write_text(text.replace("plant.example", "third.example"))
    import_on(desk, "", file, Import("buyer", "third.example", "energytag", b""), NOW_US)
    urn = "import/third.example/roof-a/export"
    name = certificate_id(urn, 0, 100)
    found = life_of(desk, Trail(desk), name)
    assert found["origin"]["device"] == "" and found["parts"][0]["assurance"] == "declared"
    assert [row["register"] for row in certificates(desk, "buyer", 10)] == [urn]

"""A registry behind its door: three certified roofs, two organisations, keys for their members, a chain."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

import httpx
from eth_account import Account
from eth_account.messages import encode_defunct

sys.path.append(str(Path(__file__).resolve().parents[1] / "connect"))
KIT: Any = import_module("connect_kit")
PLANT: Any = KIT.PLANT

from penstock.api.app import make_app  # noqa: E402
from penstock.api.running import serve_in_thread  # noqa: E402
from penstock.connect.spool import now_us  # noqa: E402
from penstock.journal.fact import Entry  # noqa: E402
from penstock.journal.kinds.account import AccountAssigned, MemberPlaced, OrganisationRegistered, Role  # noqa: E402
from penstock.journal.kinds.chain import ChainAdopted  # noqa: E402
from penstock.journal.kinds.ledger import WorkspaceOpened  # noqa: E402
from penstock.period import DAY_US  # noqa: E402
from penstock.usecases import certify, ingest  # noqa: E402
from penstock.usecases.api_keys import OPERATE, READ, WRITE, create_key  # noqa: E402
from penstock.usecases.inspect import certificates  # noqa: E402
from penstock.usecases.registry.account import say_on  # noqa: E402
from penstock.usecases.registry.selection import Selection  # noqa: E402
from penstock.usecases.registry.transfer import Transfer, transfer_on  # noqa: E402
from penstock.usecases.trail import Trail  # noqa: E402
from penstock.usecases.webhook import Webhooks  # noqa: E402
from penstock.usecases.workspace import Workspace  # noqa: E402

CHAIN_ID = 743_100
HOURS = 4
ROOF = "roof-a/export"
WALLET = Account.from_key(bytes(31) + b"\x07")
ADDRESS = WALLET.address.lower()


class Door:
    """A served registry: an operator's key, a trader's and a viewer's of `maker`, a trader's of `buyers`."""

    def __init__(self, workspace: Workspace, url: str, trail: Trail, hooks: Webhooks) -> None:
        self.workspace, self.url, self.trail, self.hooks = workspace, url, trail, hooks
        self.ids: dict[str, str] = {}
        self.keys: dict[str, str] = {}
        self.client = httpx.Client(base_url=url, timeout=30)

    def key(self, name: str, *scopes: str) -> str:
        made = create_key(self.workspace.path, name, frozenset(scopes), now_us(), now_us() + DAY_US)
        self.ids[name], self.keys[name] = made
        return made[0]

    def ask(self, who: str, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        shown = {"Authorization": f"Bearer {self.keys[who]}"} if who else {}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.request(method, path, json=body, headers=shown | named)

    def get(self, who: str, path: str) -> Any:
        found = self.ask(who, "GET", path)
        assert found.status_code == 200, found.text
        return found.json()

    def done(self, who: str, method: str, path: str, body: Any = None, **headers: str) -> Any:
        found = self.ask(who, method, path, body, **headers)
        assert found.status_code in (200, 201, 204), found.text
        return found.json() if found.content else None

    def refused(self, who: str, method: str, path: str, body: Any = None) -> tuple[int, str]:
        found = self.ask(who, method, path, body)
        return found.status_code, found.json()["code"]

    def held_wh(self, account: str, state: str = "held") -> int:
        return int(self.get("operator", f"/accounts/{account}")["by_state_wh"].get(state, 0))

    def signed(self, **changed: str) -> dict[str, str]:
        """A text to sign in with, signed; ``changed`` replaces parts of it before."""
        said = self.client.get("/session/nonce").json()
        fields = {
            "domain": said["domain"],
            "address": WALLET.address,
            "uri": self.url,
            "chain": str(said["chain_id"]),
            "nonce": said["nonce"],
            "issued": iso_of(now_us()),
            "more": "",
        } | changed
        text = (
            "{domain} wants you to sign in with your Ethereum account:\n{address}\n\nRegistry\n\nURI: {uri}\n"
            "Version: 1\nChain ID: {chain}\nNonce: {nonce}\nIssued At: {issued}{more}"
        ).format(**fields)
        return {"message": text, "signature": sign(text)}


def iso_of(at_us: int) -> str:
    from penstock.period import iso

    return iso(at_us)


def sign(text: str) -> str:
    return "0x" + bytes(WALLET.sign_message(encode_defunct(text=text)).signature).hex()


def filled(path: Path) -> Workspace:
    """Three roofs' four hours, 200 Wh each, certified; two organisations with an account each; a chain adopted."""
    workspace: Workspace = KIT.enrolled(path)
    raws = [one.raw for device in KIT.DEVICES for one in KIT.chain_of(device, HOURS)]
    at_us = KIT.START_US + DAY_US
    taken = workspace.submit("ingest", b"", at_us, lambda world: ingest.ingest(world, raws, at_us))
    (row,) = workspace.facts(taken.first_seq + 1, taken.first_seq + 2)
    readings = workspace.columns(row)
    assert readings is not None
    workspace.submit("certify", b"", at_us, lambda world: certify.certify(world, [readings], PLANT.ZONE))
    opened = [Entry(WorkspaceOpened("registry.example/tests", bytes(32))), Entry(ChainAdopted(CHAIN_ID, bytes(32), ()))]
    workspace.submit("chain", b"", at_us, lambda _: opened)
    for fact in (OrganisationRegistered("maker"), OrganisationRegistered("buyers")):
        say_on(workspace, fact, at_us)
    for account, organisation in (("operator", "maker"), ("buyer", "buyers")):
        say_on(workspace, AccountAssigned(account, organisation), at_us)
    owners = {one["holder"] for one in certificates(workspace)} - {"operator"}
    for owner in sorted(owners):
        whole = Transfer(owner, "operator", Selection(share_basis_points=10_000))
        transfer_on(workspace, f"gather {owner}", whole, at_us)
    return workspace


@contextmanager
def served(path: Path) -> Iterator[Door]:
    with filled(path) as workspace:
        trail, hooks = Trail(workspace), Webhooks(path, loopback=True)
        with serve_in_thread(make_app(workspace, trail=trail, hooks=hooks)) as running:
            door = Door(workspace, running.url, trail, hooks)
            door.key("operator", OPERATE)
            for name, role, organisation, scopes in (
                ("trader", Role.TRADER, "maker", (READ, WRITE)),
                ("viewer", Role.VIEWER, "maker", (READ, WRITE)),
                ("buyer", Role.TRADER, "buyers", (READ, WRITE)),
                ("reader", Role.TRADER, "maker", (READ,)),
            ):
                member = door.key(name, *scopes)
                say_on(workspace, MemberPlaced(organisation, member, (role,)), now_us())
            door.key("stranger", READ, WRITE)
            say_on(workspace, MemberPlaced("buyers", ADDRESS, (Role.TRADER,)), now_us())
            yield door


def wh(quantity_wh: int, **more: Any) -> dict[str, Any]:
    return {"quantity_wh": quantity_wh, **more}

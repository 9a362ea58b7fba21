"""EnergyTag paths of accounts, users and devices."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path

from penstock.api.acts import command_key
from penstock.api.energytag import words
from penstock.api.energytag.forms import Account, AccountAsked, Device, Devices, User, WhitelistUpdate
from penstock.api.forms import After, Limit
from penstock.api.gate import Credentials, Gate
from penstock.api.problem import WITH_A_KEY
from penstock.api.registry_forms import IdempotencyKey
from penstock.api.seen import check_sees
from penstock.api.state import following
from penstock.errors import NotFound
from penstock.journal.kinds.account import AccountAssigned, WhitelistStated
from penstock.journal.words import TECHNOLOGIES, Technology
from penstock.period import iso
from penstock.usecases.api_keys import OPERATE, READ, WRITE
from penstock.usecases.registry.account import said_key, say_on
from penstock.usecases.trail import OPERATOR
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

Number = Annotated[int, Path(ge=0, lt=2**31)]
UserId = Annotated[str, Path(max_length=42)]


def routes(workspace: Workspace, gate: Gate) -> APIRouter:
    """The paths under ``/energytag/account``, ``/energytag/user`` and ``/energytag/device``."""
    router = APIRouter(tags=["energytag: participants"], responses=WITH_A_KEY)
    _add_accounts(router, workspace, gate)
    _add_users(router, workspace, gate)
    _add_devices(router, workspace, gate)
    return router


def _add_accounts(router: APIRouter, workspace: Workspace, gate: Gate) -> None:
    @router.post("/account/create", status_code=201)
    def create(asked: AccountAsked, shown: Credentials, key: IdempotencyKey = None) -> Account:
        """Open an account for an organisation. Needs the scope `registry:operate`."""
        by = gate.member(shown, OPERATE)
        fact = AccountAssigned(asked.account_name, asked.organisation, by)
        say_on(workspace, fact, gate.clock(), command_key(by, "et account", key) if key else said_key(workspace, fact))
        return workspace.read(lambda world: account_of(world, world.books.accounts.id_of(asked.account_name)))

    @router.get("/account/{account_id}")
    def one(account_id: Number, shown: Credentials) -> Account:
        """One account."""
        by = gate.member(shown, READ)
        name = workspace.read(lambda world: words.account_name(world, account_id))
        check_sees(workspace, by, name)
        return workspace.read(lambda world: account_of(world, account_id))

    @router.patch("/account/update_whitelist/{account_id}")
    def whitelist(
        account_id: Number, asked: WhitelistUpdate, shown: Credentials, key: IdempotencyKey = None
    ) -> Account:
        """Whom an account receives from: once it lists anybody, from those alone."""
        by = gate.member(shown, WRITE)
        fact = workspace.read(lambda world: _whitelist(world, account_id, asked, by))
        say_on(workspace, fact, gate.clock(), command_key(by, "et list", key) if key else said_key(workspace, fact))
        return workspace.read(lambda world: account_of(world, account_id))


def _add_users(router: APIRouter, workspace: Workspace, gate: Gate) -> None:
    @router.get("/user/{user_id}")
    def user(user_id: UserId, shown: Credentials) -> User:
        """A member of organisations: whoever asks, or anybody to the operator."""
        by = gate.member(shown, READ)
        if by not in (user_id, OPERATOR):
            raise NotFound("user.unknown", "There is no such user.", id=user_id)
        return workspace.read(lambda world: user_of(world, user_id))


def _add_devices(router: APIRouter, workspace: Workspace, gate: Gate) -> None:
    @router.get("/device")
    def devices(shown: Credentials, after: After = 0, limit: Limit = 100) -> Devices:
        """Enrolled devices, in order of enrolment."""
        gate.member(shown, READ)

        def look(world: World) -> Devices:
            total = len(world.energy)
            rows = [device_of(world, number) for number in range(after, min(after + limit, total))]
            return Devices(total=total, next_after=following(after, limit, total), devices=rows)

        return workspace.read(look)

    @router.get("/device/{device_id}")
    def device(device_id: Number, shown: Credentials) -> Device:
        """One device."""
        gate.member(shown, READ)
        return workspace.read(lambda world: device_of(world, device_id))


def account_of(world: World, number: int) -> Account:
    """An account by its number. Raises NotFound ``account.unknown``."""
    people, name = world.participants, words.account_name(world, number)
    organisation, listed = people.organisation_of.get(name, ""), people.whitelists.get(name)
    numbers = None if listed is None else sorted(world.books.accounts.id_of(one) for one in listed)
    users = sorted(people.members.get(organisation, {}))
    return Account(id=number, account_name=name, organisation=organisation, user_ids=users, account_whitelist=numbers)


def user_of(world: World, member: str) -> User:
    """A member, by its id. Raises NotFound ``user.unknown``."""
    people = world.participants
    roles: dict[str, Any] = {
        name: sorted(role.value for role in people.roles(member, name))
        for name in people.members
        if people.roles(member, name)
    }
    if not roles:
        raise NotFound("user.unknown", "There is no such user.", id=member)
    numbers = sorted(world.books.accounts.id_of(name) for name in people.accounts_of(member))
    return User(id=member, roles=roles, account_ids=numbers)


def device_of(world: World, number: int) -> Device:
    """A device by its number. Raises NotFound ``device.unknown``."""
    name, energy = words.device_name(world, number), world.energy
    site = energy.sites[energy.site[number]]
    technology = TECHNOLOGIES[energy.technology[number]]
    found = world.books.sites.get(site)
    owner = found.owner if found else ""
    return Device(
        id=number,
        device_name=name,
        grid=found.zone if found else "",
        energy_source=words.source_of(technology.value),
        technology_type=technology.value,
        operational_date=iso(int(energy.commissioned_us[number])),
        capacity=int(energy.capacity_w[number]),
        location=found.cell if found else "",
        account_id=world.books.accounts.id_of(owner) if owner in world.books.accounts else None,
        is_storage=technology is Technology.BATTERY,
    )


def _whitelist(world: World, number: int, asked: WhitelistUpdate, by: str) -> WhitelistStated:
    name = words.account_name(world, number)
    listed = set(world.participants.whitelists.get(name) or ())
    listed |= {words.account_name(world, one) for one in asked.add_to_whitelist}
    listed -= {words.account_name(world, one) for one in asked.remove_from_whitelist}
    return WhitelistStated(name, tuple(sorted(listed)), False, by)

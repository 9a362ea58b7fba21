"""EnergyTag paths of certificates: query, one bundle, and the actions, once or recurring."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from penstock.api.acts import FOREVER_US, command_key, instant_us
from penstock.api.energytag import words
from penstock.api.energytag.asked import Asked, action, check_named, created, is_chosen, of, own
from penstock.api.energytag.forms import (
    Action,
    ActionAsked,
    Bundle,
    Bundles,
    ClaimAsked,
    CreateAsked,
    Created,
    QueryAsked,
    RecurringAsked,
)
from penstock.api.gate import Credentials, Gate
from penstock.api.problem import WITH_A_KEY
from penstock.api.registry_forms import CertificateInPath, IdempotencyKey
from penstock.api.state import following
from penstock.errors import Invalid, NotFound
from penstock.journal.kinds.account import OrderPlaced, Recurring
from penstock.period import DAY_US, HOUR_US, SECOND_US, iso
from penstock.usecases.api_keys import OPERATE, READ, WRITE
from penstock.usecases.certify import Terms
from penstock.usecases.registry.certificate_life import life_of
from penstock.usecases.registry.certificate_rows import find
from penstock.usecases.registry.claim_certificates import ClaimCertificates, claim_on
from penstock.usecases.registry.issue import Issue, issue_on
from penstock.usecases.registry.match_hours import Hours, match_hours_on
from penstock.usecases.registry.recurring import place_order_on
from penstock.usecases.registry.reserve import Reserve, reserve_on
from penstock.usecases.registry.retire import Retirement, retire_on
from penstock.usecases.registry.selection import Selection
from penstock.usecases.registry.transfer import Transfer, transfer_on
from penstock.usecases.registry.withdraw import Withdrawal, withdraw_on
from penstock.usecases.trail import Trail
from penstock.usecases.workspace import Workspace

CANCELLED = "cancelled"
"""The reason of a cancellation that states none."""


def routes(workspace: Workspace, gate: Gate, trail: Trail) -> APIRouter:
    """The paths under ``/energytag/certificate``."""
    router = APIRouter(prefix="/certificate", tags=["energytag: certificate"], responses=WITH_A_KEY)
    _add_reading(router, workspace, gate, trail)
    _add_actions(router, workspace, gate)
    _add_recurring(router, workspace, gate)
    return router


def _add_reading(router: APIRouter, workspace: Workspace, gate: Gate, trail: Trail) -> None:
    @router.post("/query", status_code=202)
    def query(asked: QueryAsked, shown: Credentials) -> Bundles:
        """The bundles of an account that suit."""
        who = own(workspace, gate, shown, READ, asked.source_id, asked.user_id, sees=True)
        states, selection = words.states_of(asked.certificate_status), of(workspace, asked)
        return _bundles(workspace, who, selection, states, asked)

    @router.get("/{id:path}")
    def one(id: CertificateInPath, shown: Credentials) -> Bundle:
        """One bundle, by its id; where it was split since, the first of its parts."""
        gate.member(shown, READ)
        parts = life_of(workspace, trail, id)["parts"]
        return Bundle(**workspace.read(lambda world: words.bundle_of(parts[0], world)))


def _add_actions(router: APIRouter, workspace: Workspace, gate: Gate) -> None:
    @router.post("/transfer", status_code=202)
    def transfer(asked: ActionAsked, shown: Credentials, key: IdempotencyKey = None) -> Action:
        """Bundles go to another account."""
        if asked.target_id is None:
            raise Invalid("energytag.target", "A transfer names its target_id.")
        who = own(workspace, gate, shown, WRITE, asked.source_id, asked.user_id)
        target = workspace.read(lambda world: words.account_name(world, asked.target_id or 0))
        act = Transfer(who.account, target, of(workspace, asked), asked.statement, who.by)
        done = transfer_on(workspace, command_key(who.by, "et transfer", key), act, gate.clock())
        return action("transfer", who, asked.target_id, done)

    @router.post("/cancel", status_code=202)
    def cancel(asked: ActionAsked, shown: Credentials, key: IdempotencyKey = None) -> Action:
        """Bundles are used up for a beneficiary: who holds them, where none is named."""
        who = own(workspace, gate, shown, WRITE, asked.source_id, asked.user_id)
        beneficiary, reason = asked.beneficiary or who.account, asked.reason or CANCELLED
        act = Retirement(who.account, of(workspace, asked), beneficiary, reason, asked.statement, by=who.by)
        return action(
            "cancel", who, None, retire_on(workspace, command_key(who.by, "et cancel", key), act, gate.clock())
        )

    @router.post("/reserve", status_code=202)
    def reserve(asked: ActionAsked, shown: Credentials, key: IdempotencyKey = None) -> Action:
        """Bundles are kept for a beneficiary."""
        who = own(workspace, gate, shown, WRITE, asked.source_id, asked.user_id)
        until_us = instant_us(asked.reserved_until)
        act = Reserve(who.account, of(workspace, asked), asked.beneficiary, until_us, asked.reason, who.by)
        done = reserve_on(workspace, command_key(who.by, "et reserve", key), act, gate.clock())
        return action("reserve", who, None, done)

    @router.post("/claim", status_code=202)
    def claim(asked: ClaimAsked, shown: Credentials, key: IdempotencyKey = None) -> Action:
        """Bundles are claimed for what was drawn in the same intervals; both sides are used up."""
        who = own(workspace, gate, shown, WRITE, asked.source_id, asked.user_id)
        names = workspace.read(lambda world: tuple(words.account_name(world, one) for one in asked.consumer_ids))
        named = command_key(who.by, "et claim", key)
        if not is_chosen(asked):
            return action("claim", who, None, match_hours_on(workspace, named, _hours(who, names, asked), gate.clock()))
        selection = of(workspace, asked)
        act = ClaimCertificates(who.account, selection, names, asked.beneficiary, asked.statement, by=who.by)
        return action("claim", who, None, claim_on(workspace, named, act, gate.clock()))

    @router.post("/create", status_code=201)
    def create(asked: CreateAsked, shown: Credentials, key: IdempotencyKey = None) -> Created:
        """Certificates of what was verified; no body says how much. Needs the scope `registry:operate`."""
        by = gate.member(shown, OPERATE)
        carbon = int(asked.emissions_factor_production_device * 1_000)
        terms = Terms(asked.interval_seconds * SECOND_US, carbon, asked.validity_days * DAY_US, asked.support_received)
        act = Issue(asked.issue_market_zone, terms, by)
        return created(issue_on(workspace, command_key(by, "et create", key), act, gate.clock()))

    @router.post("/withdraw", status_code=202)
    def withdraw(asked: ActionAsked, shown: Credentials, key: IdempotencyKey = None) -> Action:
        """The issuer takes bundles back that are named, by id or by range. Needs the scope `registry:operate`."""
        who = own(workspace, gate, shown, OPERATE, asked.source_id, asked.user_id)
        selection = of(workspace, asked)
        check_named(workspace, who, selection)
        act = Withdrawal(selection, asked.reason, asked.statement, who.by)
        done = withdraw_on(workspace, command_key(who.by, "et withdraw", key), act, gate.clock())
        return action("withdraw", who, None, done)


def _add_recurring(router: APIRouter, workspace: Workspace, gate: Gate) -> None:
    @router.post("/recurring_transfer", status_code=202)
    def transfer(asked: RecurringAsked, shown: Credentials, key: IdempotencyKey = None) -> Action:
        """So much of each interval goes to another account."""
        if asked.target_id is None:
            raise Invalid("energytag.target", "A transfer names its target_id.")
        target = workspace.read(lambda world: words.account_name(world, asked.target_id or 0))
        return _place(workspace, gate, shown, asked, Recurring.TRANSFER, target, key)

    @router.post("/recurring_cancel", status_code=202)
    def cancel(asked: RecurringAsked, shown: Credentials, key: IdempotencyKey = None) -> Action:
        """So much of each interval is used up."""
        return _place(workspace, gate, shown, asked, Recurring.RETIRE, "", key)

    @router.post("/recurring_claim", status_code=202)
    def claim(asked: RecurringAsked, shown: Credentials, key: IdempotencyKey = None) -> Action:
        """So much of each interval is claimed for what ``device_id`` draws."""
        if asked.device_id is None:
            raise Invalid("energytag.target", "A recurring claim names the device_id that draws.")
        target = workspace.read(lambda world: words.main_register(world, asked.device_id or 0))
        return _place(workspace, gate, shown, asked, Recurring.CLAIM, target, key)


def _hours(who: Asked, consumers: tuple[str, ...], asked: ClaimAsked) -> Hours:
    """As many of an account's bundles as suit what was drawn in a period. Raises as `instant_us`."""
    if asked.certificate_period_start is None or asked.certificate_period_end is None:
        raise Invalid("energytag.target", "A claim names its bundles, or the period of what was drawn.")
    span = instant_us(asked.certificate_period_start), instant_us(asked.certificate_period_end)
    narrowed = Selection(technology=words.technology_of(asked.energy_source))
    return Hours(
        who.account, *span, consumers, asked.beneficiary, certificates=narrowed, statement=asked.statement, by=who.by
    )


def _place(
    workspace: Workspace, gate: Gate, shown: Credentials, asked: RecurringAsked, act: Recurring, target: str,
    key: str | None,
) -> Action:  # fmt: skip
    who = own(workspace, gate, shown, WRITE, asked.source_id, asked.user_id)
    start_us, times, share = instant_us(asked.initial_action_datetime), asked.number_of_recurring_actions, 0
    if asked.certificate_bundle_percentage is not None:
        share = words.basis_points(asked.certificate_bundle_percentage)
    device = asked.device_id if act is not Recurring.CLAIM else None
    order = OrderPlaced(
        order=0,
        account=who.account,
        act=act,
        target=target,
        quantity_wh=asked.certificate_quantity or 0,
        share_basis_points=share,
        start_us=start_us,
        stop_us=start_us + times * HOUR_US if times else 0,
        register="" if device is None else workspace.read(lambda world: words.main_register(world, device)),
        technology=words.technology_of(asked.energy_source),
        beneficiary=asked.beneficiary,
        purpose=asked.reason,
        by=who.by,
    )
    placed = place_order_on(workspace, command_key(who.by, f"et {act.value}", key), order, gate.clock())
    now = iso(gate.clock())
    return Action(
        action_id=placed["order"],
        action_type=f"recurring_{act.value}",
        action_response_status="Accepted",
        source_id=asked.source_id,
        target_id=asked.target_id,
        user_id=who.by,
        action_request_datetime=now,
        action_completed_datetime=now,
        certificate_quantity=0,
        granular_certificate_bundle_ids=[],
    )


def _bundles(workspace: Workspace, who: Asked, selection: Selection, states: Any, asked: QueryAsked) -> Bundles:
    total, rows = _found(workspace, who, selection, states, asked)
    said = workspace.read(lambda world: [words.bundle_of(row, world) for row in rows])
    bundles = [Bundle(**one) for one in said]
    follows = following(asked.after, asked.limit, total)
    return Bundles(total=total, next_after=follows, granular_certificate_bundles=bundles)


def _found(
    workspace: Workspace, who: Asked, selection: Selection, states: Any, asked: QueryAsked
) -> tuple[int, list[dict[str, Any]]]:
    if not selection.spans:
        return find(workspace, who.account, selection, states, asked.after, asked.limit)
    named = {(one.register, one.start, one.stop) for one in selection.spans}
    rows: list[dict[str, Any]] = []
    for register in sorted({one.register for one in selection.spans}):
        try:
            _, found = find(workspace, who.account, Selection(register=register), states, 0, FOREVER_US)
        except NotFound:
            continue
        rows += [row for row in found if _lies_in(row, named)]
    return len(rows), rows[asked.after : asked.after + asked.limit]


def _lies_in(row: dict[str, Any], named: set[tuple[str, int, int]]) -> bool:
    register, start, stop = row["register"], row["start"], row["stop"]
    return any(register == name and start < last and stop > first for name, first, last in named)

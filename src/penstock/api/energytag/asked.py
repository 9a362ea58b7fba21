"""Who asks an EnergyTag path for what: the account its number stands for, the bundles it means, what came of it."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.api.acts import FOREVER_US, instant_us
from penstock.api.energytag import words
from penstock.api.energytag.forms import Action, ActionAsked, Created, Narrowed
from penstock.api.gate import Credentials, Gate
from penstock.api.seen import check_sees
from penstock.errors import Invalid, Refused
from penstock.journal.words import Right
from penstock.period import iso
from penstock.usecases.registry.certificate_rows import certificate_id
from penstock.usecases.registry.desk import Done
from penstock.usecases.registry.selection import Selection, spans_of
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World

WHOLE = 10_000


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks, for which account, since when [us]."""

    by: str
    account: str
    source_id: int
    at_us: int


def own(
    workspace: Workspace, gate: Gate, shown: Credentials, scope: str, source_id: int, user_id: str | None,
    *, sees: bool = False,
) -> Asked:  # fmt: skip
    """Who asks for the account ``source_id`` numbers; ``sees``: has to be one who may see it.

    Raises:
        As `Gate.member`. NotFound: ``account.unknown``. Refused: ``energytag.user`` where the body names another,
        ``account.not_member``.
    """
    by = gate.member(shown, scope)
    if user_id is not None and user_id != by:
        hint = "Leave user_id out: who asks is whose key it is."
        raise Refused("energytag.user", "Somebody else is named as who asks.", hint=hint)
    account = workspace.read(lambda world: words.account_name(world, source_id))
    if sees:
        check_sees(workspace, by, account)
    return Asked(by, account, source_id, gate.clock())


def of(workspace: Workspace, asked: Narrowed) -> Selection:
    """The bundles that are meant.

    Raises:
        Invalid: ``certificate.id``, ``energytag.issuance_id``, ``energytag.range``, ``energytag.energy_source``.
        NotFound: ``device.unknown``, ``register.unknown``.
    """
    quantity_wh, share = _amount(asked)
    if asked.granular_certificate_bundle_ids:
        return Selection(words.spans_named(asked.granular_certificate_bundle_ids), quantity_wh, share)
    issued = asked.source_certificate_issuance_id
    if issued and not quantity_wh and not share:
        first, last = asked.source_certificate_bundle_id_range_start, asked.source_certificate_bundle_id_range_end
        return workspace.read(lambda world: words.span_of_range(world, issued, first, last))
    register, start_us, stop_us = _narrowed(workspace, asked)
    share = share or (0 if quantity_wh else WHOLE)
    technology = words.technology_of(asked.energy_source)
    return Selection((), quantity_wh, share, register, technology=technology, start_us=start_us, stop_us=stop_us)


def _amount(asked: Narrowed) -> tuple[int, int]:
    """Quantity [Wh] and share [basis points] that are asked for; 0 for none."""
    if not isinstance(asked, ActionAsked):
        return 0, 0
    percentage = asked.certificate_bundle_percentage
    return asked.certificate_quantity or 0, 0 if percentage is None else words.basis_points(percentage)


def _narrowed(workspace: Workspace, asked: Narrowed) -> tuple[str, int, int]:
    """Register, and time of production [us], that bundles have to be of; empty and 0 for any."""
    if asked.source_certificate_issuance_id:
        register, at_us = words.read_issuance_id(asked.source_certificate_issuance_id)
        return register, at_us, at_us + 1
    device = asked.device_id
    register = "" if device is None else workspace.read(lambda world: words.main_register(world, device))
    start, stop = asked.certificate_period_start, asked.certificate_period_end
    return register, instant_us(start), instant_us(stop) or (FOREVER_US if start else 0)


def check_named(workspace: Workspace, who: Asked, selection: Selection) -> None:
    """That bundles are named, and all of them the account's: what is taken back is never found by a filter.

    Raises:
        Invalid: ``energytag.not_named``. NotFound: ``register.unknown``. Refused: ``titles.other_holder``.
    """
    if not selection.spans:
        hint = "Name bundle ids, or an issuance id with its range."
        raise Invalid("energytag.not_named", "Bundles to withdraw are named one by one.", hint=hint)
    workspace.read(lambda world: _check_holder(world, who.account, selection))


def _check_holder(world: World, account: str, selection: Selection) -> None:
    spans = spans_of(world, selection.spans)
    parts = world.books.titles[Right.ATTRIBUTE].parts(spans["register"], spans["start"], spans["stop"])
    if (parts["holder"] != world.books.accounts.id_of(account)).any():
        raise Refused("titles.other_holder", "Somebody else holds some of these bundles.", account=account)


def is_chosen(asked: ActionAsked) -> bool:
    """Whether an action names its bundles or how many, and not only a period."""
    named = asked.granular_certificate_bundle_ids or asked.source_certificate_issuance_id
    return bool(named or asked.certificate_quantity or asked.certificate_bundle_percentage)


def action(name: str, who: Asked, target_id: int | None, done: Done) -> Action:
    """What an act recorded, as an action."""
    quantity_wh, ids = _bundles(done)
    return Action(
        action_id=done.first_seq,
        action_type=name,
        action_response_status="Accepted",
        source_id=who.source_id,
        target_id=target_id,
        user_id=who.by,
        action_request_datetime=iso(who.at_us),
        action_completed_datetime=done.acts[-1]["at"] if done.acts else iso(who.at_us),
        certificate_quantity=quantity_wh,
        granular_certificate_bundle_ids=ids,
    )


def created(done: Done) -> Created:
    """What an issue recorded."""
    quantity_wh, ids = _bundles(done)
    return Created(
        action_id=done.first_seq,
        action_response_status="Accepted",
        certificate_quantity=quantity_wh,
        granular_certificate_bundle_ids=ids,
    )


def _bundles(done: Done) -> tuple[int, list[str]]:
    """How many certificates an act issued or moved, and the first of the bundles."""
    moved = [act for act in done.acts if act.get("right") == Right.ATTRIBUTE.value]
    rows = [row for act in moved for row in act["certificates"]]
    ids = [certificate_id(row["register"], row["start"], row["stop"]) for row in rows]
    return sum(act["quantity_wh"] for act in moved), list(dict.fromkeys(ids))

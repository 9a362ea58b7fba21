"""Acts over HTTP: who asks, under which key, and what became of it, the same way for every act."""

from __future__ import annotations

import hashlib
import secrets
from typing import Final

from penstock.api.act_forms import ReleaseAsked, ReserveAsked, RetireAsked, SplitAsked, TransferAsked
from penstock.api.registry_forms import Done, SelectionForm
from penstock.errors import Invalid
from penstock.period import parse_iso
from penstock.usecases.registry.desk import Done as Recorded
from penstock.usecases.registry.reserve import Release, Reserve
from penstock.usecases.registry.retire import Retirement, green_tariff
from penstock.usecases.registry.selection import Named, Selection
from penstock.usecases.registry.split import Split
from penstock.usecases.registry.transfer import Transfer

FOREVER_US: Final = 2**62


def command_key(by: str, act: str, named: str | None) -> str:
    """The key of a command: the asker's own name for it where there is one, else one nobody used."""
    said = named if named is not None else secrets.token_hex(16)
    digest = hashlib.sha256("\n".join((by, act, said)).encode())
    return f"http:{digest.hexdigest()[:48]}"


def selection_of(form: SelectionForm) -> Selection:
    """What a form asks for. Raises Invalid ``period.malformed``, ``period.naive``, ``selection.period``."""
    return Selection(
        spans=tuple(Named(one.register_, one.start, one.stop) for one in form.spans),
        quantity_wh=form.quantity_wh,
        share_basis_points=form.share_basis_points,
        register=form.register_,
        zone=form.zone,
        technology=form.technology,
        assurance=form.assurance,
        start_us=instant_us(form.start),
        stop_us=stop_us_of(form.start, form.stop),
    )


def instant_us(text: str | None) -> int:
    """An instant [us], 0 for none. Raises Invalid ``period.malformed``, ``period.naive``, ``period.before_1970``."""
    at_us = parse_iso(text) if text else 0
    if at_us < 0:
        raise Invalid("period.before_1970", "Nothing was metered before 1970.")
    return at_us


def stop_us_of(start: str | None, stop: str | None) -> int:
    """Where a time of production ends [us]: as said, or never where only its start is; 0 where neither is.

    Raises:
        Invalid: ``selection.period`` and as `instant_us`.
    """
    if stop is None:
        return FOREVER_US if start else 0
    stop_us = instant_us(stop)
    if not stop_us:
        raise Invalid("selection.period", "A time of production ends after it starts.")
    return stop_us


def transfer_of(form: TransferAsked, by: str) -> Transfer:
    """A transfer that ``by`` asks for. Raises as `selection_of`."""
    return Transfer(form.account, form.target, selection_of(form.selection), form.statement, by)


def retirement_of(form: RetireAsked, by: str) -> Retirement:
    """A retirement that ``by`` asks for. Raises Invalid ``retire.reason`` and as `selection_of`."""
    if bool(form.reason) == bool(form.tariff):
        raise Invalid("retire.reason", "A retirement says what for: a reason, or a green tariff.")
    reason, span = form.reason or green_tariff(form.tariff), (instant_us(form.start), instant_us(form.stop))
    return Retirement(form.account, selection_of(form.selection), form.beneficiary, reason, form.statement, *span, by)


def reserve_of(form: ReserveAsked, by: str) -> Reserve:
    """A reservation that ``by`` asks for. Raises as `selection_of`."""
    until_us = instant_us(form.until)
    return Reserve(form.account, selection_of(form.selection), form.beneficiary, until_us, form.reason, by)


def release_of(form: ReleaseAsked, by: str) -> Release:
    """A release that ``by`` asks for. Raises as `selection_of`."""
    return Release(form.account, selection_of(form.selection), form.beneficiary, by)


def split_of(form: SplitAsked, by: str) -> Split:
    """A split that ``by`` asks for."""
    named = form.certificate
    return Split(form.account, Named(named.register_, named.start, named.stop), tuple(form.sizes_wh), by)


def told(recorded: Recorded) -> Done:
    """What an act recorded, as a form."""
    return Done(first_seq=recorded.first_seq, repeated=recorded.repeated, acts=list(recorded.acts))

"""The JSON forms of acts on certificates: who asks is the key's or the wallet's business, never the body's."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from penstock.api.forms import Form
from penstock.api.registry_forms import AccountName, Instant, SelectionForm, SpanForm, Text, Wh


class TransferAsked(Form):
    """Certificates of an account go to another, which has to receive from it."""

    account: AccountName
    target: AccountName
    selection: SelectionForm
    statement: Text = ""


class RetireAsked(Form):
    """Certificates of an account are used up for a stated reason; the time that it is about where there is one.

    ``tariff`` names the green tariff they are used up for, in place of a reason.
    """

    account: AccountName
    selection: SelectionForm
    beneficiary: Text = ""
    reason: Text = ""
    tariff: Text = ""
    statement: Text = ""
    start: Instant | None = None
    stop: Instant | None = None


class ReserveAsked(Form):
    """Certificates of an account are kept for somebody, until an instant or for as long as that one wants."""

    account: AccountName
    selection: SelectionForm
    beneficiary: Text
    until: Instant | None = None
    reason: Text = ""


class ReleaseAsked(Form):
    """Reserved certificates are free again, because ``beneficiary`` says so or their time has come."""

    account: AccountName
    selection: SelectionForm
    beneficiary: Text = ""


class SplitAsked(Form):
    """A certificate is cut into parts of these sizes, in order; what is left is one more."""

    account: AccountName
    certificate: SpanForm
    sizes_wh: Annotated[list[Wh], Field(min_length=1, max_length=1_000)]

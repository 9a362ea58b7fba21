"""The JSON forms of signing in and of subscriptions."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from penstock.api.forms import SEQ_END, Form
from penstock.api.registry_forms import AccountName


class Nonce(Form):
    """Something to sign, good for ten minutes and one session, and what else the text has to say."""

    nonce: str
    domain: str
    chain_id: int


class SignInAsked(Form):
    """A text as EIP-4361 says, and the wallet's signature over it as a personal message (r || s || v)."""

    message: str = Field(min_length=1, max_length=4_096)
    signature: str = Field(pattern="^(0x)?[0-9a-fA-F]{130}$")


class SessionForm(Form):
    """A session: its token, sent as ``Authorization: Bearer TOKEN``, shown this once."""

    token: str
    address: str
    expires: str
    accounts: list[str] = Field(description="The accounts whose organisation it is a member of.")


class WebhookAsked(Form):
    """Which account's facts to tell, and where; from now on, or from fact ``start`` on."""

    account: AccountName
    url: str = Field(min_length=1, max_length=2_048)
    start: int | None = Field(None, ge=0, le=SEQ_END)


class WebhookRow(Form):
    """A subscription and how far it was told."""

    id: str
    account: str
    url: str
    state: Literal["active", "failing", "stopped"]
    next_seq: int
    made: str
    failures: int
    again: str | None
    note: str


class WebhookMade(WebhookRow):
    """A new subscription with the secret its messages are signed with [32 bytes, hex], shown this once."""

    secret: str


class WebhookRows(Form):
    """The subscriptions of whoever asks."""

    webhooks: list[WebhookRow]

"""The JSON forms of carbon: grid factors, methods, credits, offsets. Grams and milligrams of CO2 equivalent."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from penstock.api.forms import Form, Page
from penstock.api.registry_forms import AccountName, Instant, SelectionForm, Text
from penstock.journal.kinds.carbon import Baseline, Work
from penstock.journal.words import Assurance, Technology

Word = Annotated[str, Field(min_length=1, max_length=128)]


class FactorsRow(Form):
    """A publication of grid factors: its series, what the figures include, its fact and segment."""

    source: str
    version: str
    basis: str
    zones: list[str]
    rows: int
    fact: int
    root: str


class FactorsRows(Page):
    """Publications of grid factors."""

    factors: list[FactorsRow]


class Published(Form):
    """What was published; ``repeated`` where it was before."""

    source: str
    version: str
    zones: list[str]
    rows: int
    fact: int
    repeated: bool


class MethodAsked(Form):
    """A method of avoided emissions: what its credits displaced, for what, and how much is held apart."""

    method: Word
    version: Word
    baseline: Baseline
    source: Word
    factors_version: Word
    additionality: Text
    commissioned_from: Instant
    crediting_years: Annotated[int, Field(ge=1, le=100)]
    technologies: Annotated[list[Technology], Field(min_length=1, max_length=64)]
    assurance: Assurance
    buffer_bp: Annotated[int, Field(ge=0, le=10_000)]
    buffer: AccountName


class Adopted(Form):
    """What was adopted; ``repeated`` where it was before."""

    method: str
    version: str
    buffer: str
    fact: int
    repeated: bool


class MethodRow(Form):
    """An adopted method."""

    method: str
    version: str
    baseline: str
    factors: str
    additionality: str
    commissioned_from: str
    crediting_years: int
    technologies: list[str]
    assurance: str
    buffer_bp: int
    buffer: str


class MethodRows(Page):
    """Adopted methods."""

    methods: list[MethodRow]


class CreditAsked(Form):
    """Certificates of an account become carbon credits, by an adopted method; of ``holder``, or else of the account."""

    account: AccountName
    method: Word
    version: Word
    selection: SelectionForm
    holder: Annotated[str, Field(max_length=200)] = ""
    statement: Text = ""


class CreditRow(Form):
    """A carbon credit: its grams as a span of a register, how many of them are held apart, and what it came from."""

    fact: int
    method: str
    vintage: int
    zone: str
    technology: str
    register_: str = Field(alias="register")
    start: int
    stop: int
    grams: int
    buffer_g: int
    energy_wh: int
    avoided_ug: int
    holder: str
    by: str


class CreditRows(Page):
    """Carbon credits, in order of making."""

    credits: list[CreditRow]


class UseAsked(Form):
    """So many grams of an account's carbon credits are retired, or go to ``target``."""

    account: AccountName
    grams: Annotated[int, Field(ge=1, lt=2**63)]
    register_: str = Field("", alias="register", max_length=200)
    target: Annotated[str, Field(max_length=200)] = ""
    beneficiary: Text = ""
    reason: Text = ""
    statement: Text = ""


class OffsetAsked(Form):
    """Certificates of an account are retired for AI work: all of a rack or model so far, or one answer of a rack.

    ``name`` is the rack's or the model's, ``number`` the answer's; the rest narrows which certificates.
    """

    account: AccountName
    work: Work
    name: Word
    number: Annotated[int, Field(ge=0, lt=2**31)] | None = None
    beneficiary: Text = ""
    register_: str = Field("", alias="register", max_length=200)
    zone: str = Field("", max_length=64)
    technology: Technology | None = None
    start: Instant | None = None
    stop: Instant | None = None
    statement: Text = ""


class OffsetRow(Form):
    """An offset: the work's energy [mJ], and the Wh retired for it; ``number`` is -1 but for an answer."""

    fact: int
    work: str
    name: str
    number: int
    energy_mj: int
    quantity_wh: int
    beneficiary: str
    by: str


class OffsetRows(Page):
    """Offsets, in order."""

    offsets: list[OffsetRow]

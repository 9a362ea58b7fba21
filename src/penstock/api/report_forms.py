"""The JSON form of a 24/7 report. Exact: energy in whole Wh, emissions [µg] as text, shares in basis points."""

from __future__ import annotations

from pydantic import Field

from penstock.api.forms import Form


class Named(Form):
    """A series of factors."""

    source: str
    version: str


class ReportRequest(Form):
    """What the report answers, so that it can be asked again."""

    account: str
    sites: list[str]
    start: str
    stop: str
    factors: Named
    annual: Named | None
    time_zone: str


class ReportScope(Form):
    """What it covers."""

    sites: int
    registers: int
    zones: list[str]


class ReportFigures(Form):
    """The figures by their formulas; ``without_...`` is energy that a figure leaves out for want of a factor."""

    drawn_wh: int
    matched_wh: int
    volume_wh: int
    matched_share_bp: int
    volume_share_bp: int
    carbon_free_share_bp: int
    location_ug: str
    market_annual_ug: str
    market_hourly_ug: str
    avoided_ug: str
    without_average_wh: int
    without_residual_wh: int
    without_carbon_free_wh: int
    without_marginal_wh: int


class ZoneFigures(ReportFigures):
    """The figures of one zone."""

    zone: str


class SiteFigures(Form):
    """One register's part, those that drew most first."""

    site: str
    register_: str = Field(alias="register")
    zone: str
    drawn_wh: int
    matched_wh: int
    matched_share_bp: int
    carbon_free_share_bp: int
    location_ug: str
    grid_hourly_ug: str
    unknown_hours: int
    filled_borders: int


class MonthFigures(Form):
    """A month of the local calendar."""

    month: str
    drawn_wh: int
    matched_wh: int


class Heat(Form):
    """By local month, the 24 hours of its days added up."""

    months: list[str]
    drawn_wh: list[list[int]]
    matched_wh: list[list[int]]


class CertificateFigures(Form):
    """Certificates of one kind: what counts in its hour, what in the year alone, what was retired."""

    technology: str
    assurance: str
    zone: str
    stored: bool
    carbon_mg_per_kwh: int
    matched_wh: int
    other_hour_wh: int
    retired_wh: int


class Missing(Form):
    """What a reader has to know is not there."""

    what: str
    count: int
    sentence: str


class ProvenFact(Form):
    """A fact that the report rests on, with its path to the tree's root."""

    seq: int
    kind: str
    rows: int
    segment_root: str
    body: str
    proof: list[str]


class Evidence(Form):
    """The tree, its signed note (empty: none yet), whether it is anchored, and the facts behind each figure."""

    size: int
    root: str
    note: str
    anchored: bool
    groups: dict[str, list[int]]
    rests_on: dict[str, list[str]]
    facts: list[ProvenFact]


class Report247(Form):
    """A 24/7 report, as `penstock certificate carbon check` takes it."""

    report: str
    method: str
    formulas: dict[str, str]
    request: ReportRequest
    facts: int
    scope: ReportScope
    figures: ReportFigures
    zones: list[ZoneFigures]
    sites: list[SiteFigures]
    months: list[MonthFigures]
    heat: Heat
    certificates: list[CertificateFigures]
    missing: list[Missing]
    evidence: Evidence

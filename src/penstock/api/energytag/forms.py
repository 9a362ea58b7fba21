"""EnergyTag's JSON forms. Ranges include both ends; quantities are whole Wh; who asks is the key's business alone.

Source: EnergyTag Granular Certificate API; fields we do not have are not invented, unknown ones are refused.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from penstock.api.forms import PAGE_MAX, SEQ_END, Form
from penstock.api.registry_forms import Instant, Position, Text, Wh

Id = Annotated[int, Field(ge=0, lt=2**31)]
Percentage = Annotated[Decimal, Field(gt=0, le=100, decimal_places=2, max_digits=5)]


class Narrowed(Form):
    """Which bundles, of one account: by id, by issuance, by quantity or share, narrowed by the rest."""

    source_id: Id
    user_id: str | None = Field(None, max_length=42, description="Has to be whoever asks, where it is given.")
    granular_certificate_bundle_ids: list[Annotated[str, Field(max_length=300)]] = Field(
        default_factory=list, max_length=1_000
    )
    source_certificate_issuance_id: str | None = Field(None, max_length=300)
    source_certificate_bundle_id_range_start: Position | None = None
    source_certificate_bundle_id_range_end: Position | None = None
    certificate_period_start: Instant | None = None
    certificate_period_end: Instant | None = None
    device_id: Id | None = None
    energy_source: str | None = Field(None, max_length=32)


class QueryAsked(Narrowed):
    """A query, from bundle ``after`` on."""

    certificate_status: str | None = Field(None, max_length=32)
    after: int = Field(0, ge=0, le=SEQ_END)
    limit: int = Field(100, ge=1, le=PAGE_MAX)


class ActionAsked(Narrowed):
    """An action on bundles; without a quantity or a percentage on all that suit."""

    certificate_quantity: Wh | None = None
    certificate_bundle_percentage: Percentage | None = None
    target_id: Id | None = None
    beneficiary: Text = ""
    reason: Text = ""
    statement: Text = ""
    reserved_until: Instant | None = None


class RecurringAsked(Form):
    """So much of each interval's new certificates, so many times; the interval is an hour, or what it is issued at."""

    source_id: Id
    user_id: str | None = Field(None, max_length=42)
    target_id: Id | None = None
    certificate_quantity: Wh | None = None
    certificate_bundle_percentage: Percentage | None = None
    initial_action_datetime: Instant
    recurring_action_period_units: str = Field("hours", pattern="^hours$")
    recurring_action_period_quantity: int = Field(1, ge=1, le=1)
    number_of_recurring_actions: int | None = Field(None, ge=1, lt=2**31)
    device_id: Id | None = None
    energy_source: str | None = Field(None, max_length=32)
    beneficiary: Text = ""
    reason: Text = ""


class ClaimAsked(ActionAsked):
    """Bundles for what the accounts ``consumer_ids`` number drew in the same intervals (none: the account itself).

    Bundles are chosen as for any action; with nothing but a period, as many as suit what was drawn in it.
    """

    consumer_ids: list[Id] = Field(default_factory=list, max_length=1_000)


class CreateAsked(Form):
    """Certificates of what was verified in a zone and has none yet; ``validity_days`` 0 for good."""

    issue_market_zone: str = Field(min_length=1, max_length=32)
    interval_seconds: Literal[900, 1_800, 3_600] = 3_600
    emissions_factor_production_device: Annotated[Decimal, Field(ge=0, le=10**6, decimal_places=3)] = Decimal(0)
    validity_days: int = Field(0, ge=0, le=36_600)
    support_received: str = Field("", max_length=32)


class Bundle(Form):
    """A bundle: certificates of one Wh each, numbered from range start to range end, both included.

    ``emissions_factor_production_device`` in kg CO2e per MWh, as a decimal text.
    """

    id: str
    issuance_id: str
    certificate_status: str
    account_id: int
    bundle_id_range_start: int
    bundle_id_range_end: int
    bundle_quantity: int
    energy_carrier: str
    energy_source: str
    face_value: int
    issuance_post_energy_carrier_conversion: bool
    registry_configuration: int
    device_id: int | None
    device_name: str
    device_technology_type: str
    device_capacity: int | None
    production_starting_interval: str
    production_ending_interval: str
    expiry_datestamp: str | None
    is_storage: bool
    issue_market_zone: str
    support_received: str
    assurance: str
    emissions_factor_production_device: str


class Bundles(Form):
    """What a query found."""

    total: int
    next_after: int | None
    granular_certificate_bundles: list[Bundle]


class Action(Form):
    """An action that was done: its id is the place of its first fact in the record."""

    action_id: int
    action_type: str
    action_response_status: str
    source_id: int
    target_id: int | None
    user_id: str
    action_request_datetime: str
    action_completed_datetime: str
    certificate_quantity: int
    granular_certificate_bundle_ids: list[str]


class Created(Form):
    """An issue that was recorded: its id is the place of its first fact."""

    action_id: int
    action_response_status: str
    certificate_quantity: int
    granular_certificate_bundle_ids: list[str]


class Account(Form):
    """An account: its number, and who is registered to it."""

    id: int
    account_name: str
    organisation: str
    user_ids: list[str]
    account_whitelist: list[int] | None


class AccountAsked(Form):
    """An account to open, for an organisation that takes part."""

    account_name: str = Field(min_length=1, max_length=128)
    organisation: str = Field(min_length=1, max_length=64)


class WhitelistUpdate(Form):
    """Accounts to receive from besides those listed already, and ones to receive from no more."""

    add_to_whitelist: list[Id] = Field(default_factory=list, max_length=1_000)
    remove_from_whitelist: list[Id] = Field(default_factory=list, max_length=1_000)


class Device(Form):
    """A device as enrolled; energy source and location as coarse as its owner allows."""

    id: int
    device_name: str
    grid: str
    energy_source: str
    technology_type: str
    operational_date: str
    capacity: int
    location: str
    account_id: int | None
    is_storage: bool


class Devices(Form):
    """Devices in order of enrolment."""

    total: int
    next_after: int | None
    devices: list[Device]


class Measurement(Form):
    """What a device's register counted in whole intervals that are certified."""

    device_id: int
    interval_start_datetime: str
    interval_end_datetime: str
    interval_usage: int
    gross_net_indicator: str


class Measurements(Form):
    """Measurements by time."""

    total: int
    next_after: int | None
    measurements: list[Measurement]


class User(Form):
    """A user: a member of organisations, by an API key's id or a wallet's address; people's names stay outside."""

    id: str
    roles: dict[str, list[str]] = Field(description="Roles by organisation.")
    account_ids: list[int]


class StorageRecord(Form):
    """A storage's charge (SCR) or discharge (SDR) record; one Wh each, ranges with both ends."""

    id: int
    storage: str
    start_datetime: str
    end_datetime: str
    energy: int
    range_start: int
    range_end: int
    register_: str = Field(alias="register")
    state: str
    charging_energy_source: str | None
    scr_allocation_id: int | None
    scr_allocation_methodology: str = "FIFO"


class StorageRecords(Form):
    """Records of a storage, in order."""

    total: int
    next_after: int | None
    records: list[StorageRecord]


class StorageAsked(Form):
    """Records to make of what a storage's meters counted, in whole intervals of a time."""

    storage: str = Field(min_length=1, max_length=200)
    start_datetime: Instant | None = None
    end_datetime: Instant | None = None
    granular_certificate_bundle_ids: list[Annotated[str, Field(max_length=300)]] = Field(
        default_factory=list, max_length=1_000
    )


class StorageWithdrawAsked(Form):
    """Records of a storage from number ``first`` on are withdrawn."""

    storage: str = Field(min_length=1, max_length=200)
    first: int = Field(ge=0, lt=2**62)
    reason: str = Field(min_length=1, max_length=200)


class StorageDone(Form):
    """What was recorded of a storage."""

    action_id: int
    action_response_status: str
    storage: str
    records: list[StorageRecord]


class SdgcAsked(Form):
    """A storage whose discharge is to have its certificates."""

    storage: str = Field(min_length=1, max_length=200)

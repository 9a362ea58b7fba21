"""The settings files of `penstock connect`: TOML, every field known, secrets named by where they lie."""

from __future__ import annotations

import os
import tomllib
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from penstock.connect.ocpp_door import Charger
from penstock.connect.prometheus import Target
from penstock.connect.secret import Secret, from_environment, from_file
from penstock.connect.sunspec import Counted, Station
from penstock.connect.vendor_cloud import System
from penstock.connect.vendor_session import LOOPBACK, Account
from penstock.errors import Invalid, NotFound
from penstock.period import to_us

Name = Annotated[str, Field(min_length=1, max_length=256)]
Port = Annotated[int, Field(ge=0, le=65_535)]
Channel = Annotated[int, Field(ge=0, le=255)]
Seconds = Annotated[int, Field(ge=1, le=604_800)]


class Part(BaseModel):
    """A table of a settings file: nothing unknown, nothing of another type."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


P = TypeVar("P", bound=Part)


class ChargerPart(Part):
    """``[[charger]]``: ``devices`` by connector, as ``1 = "meter-1"``."""

    identity: Name
    devices: dict[Annotated[int, Field(strict=False, ge=0, le=31)], Name] = Field(min_length=1)
    password_sha256: Annotated[str, Field(pattern=r"^([0-9a-f]{64})?$")] = ""
    signs: bool = True


class OcppSettings(Part):
    """The central system: where it listens, by which security profile, and its chargers."""

    charger: list[ChargerPart] = Field(min_length=1)
    host: Name = "127.0.0.1"
    port: Port = 9_000
    profile: Literal[1, 2, 3] = 2
    trusted_network: bool = False
    certificate: str = ""
    key: str = ""
    chargers_ca: str = ""

    @model_validator(mode="after")
    def _safe(self) -> OcppSettings:
        if self.profile == 1 and self.host not in LOOPBACK and not self.trusted_network:
            raise ValueError("profile 1 is for a trusted network: say trusted_network = true, or take profile 2")
        if self.profile > 1 and not (self.certificate and self.key):
            raise ValueError("profiles 2 and 3 need certificate and key")
        if (self.profile == 3) != bool(self.chargers_ca):
            raise ValueError("profile 3, and no other, needs chargers_ca")
        if self.profile < 3 and not all(one.password_sha256 for one in self.charger):
            raise ValueError("profiles 1 and 2 need password_sha256 for each charger")
        return self

    def chargers(self) -> list[Charger]:
        """The chargers that may connect."""
        return [
            Charger(one.identity, bytes.fromhex(one.password_sha256), dict(one.devices), one.signs)
            for one in self.charger
        ]


class CountedPart(Part):
    """``[[station.counted]]``: a counter and the channel it is."""

    channel: Channel
    source: Literal["inverter", "exported", "imported"]
    nth: Annotated[int, Field(ge=0, le=15)] = 0


class StationPart(Part):
    """``[[station]]``."""

    device: Name
    host: Name
    port: Port = 502
    unit: Annotated[int, Field(ge=0, le=255)] = 1
    serial: str = ""
    counted: list[CountedPart] = Field(default=[CountedPart(channel=0, source="inverter")], min_length=1)


class SunSpecSettings(Part):
    """Inverters and meters over Modbus TCP."""

    station: list[StationPart] = Field(min_length=1)
    every_s: Seconds = 900

    def stations(self) -> list[Station]:
        """The stations to visit."""
        return [
            Station(
                **one.model_dump(exclude={"counted"}),
                counted=tuple(Counted(each.channel, each.source, each.nth) for each in one.counted),
            )
            for one in self.station
        ]


class TargetPart(Part):
    """``[[target]]``."""

    url: Name
    device: Name
    energy: Name
    channel: Channel = 0
    unit: str = ""
    power: str = ""
    labels: dict[str, str] = {}

    def target(self) -> Target:
        """The target. Raises Invalid ``connect.metric``."""
        return Target(**self.model_dump(exclude={"labels"}), labels=tuple(sorted(self.labels.items())))


class PrometheusSettings(Part):
    """Racks to scrape."""

    target: list[TargetPart] = Field(min_length=1)
    every_s: Seconds = 60

    def targets(self) -> list[Target]:
        """The targets to scrape. Raises Invalid ``connect.metric``."""
        return [
            Target(**one.model_dump(exclude={"labels"}), labels=tuple(sorted(one.labels.items())))
            for one in self.target
        ]


class SystemPart(Part):
    """``[[system]]``: ``since`` is where its history begins, ``zone`` the time zone of its local times."""

    id: Name
    device: Name
    since: AwareDatetime
    channel: Channel = 0
    zone: str = "UTC"

    @field_validator("zone")
    @classmethod
    def _known(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError("no such time zone") from None
        return zone


class VendorSettings(Part):
    """An account at a vendor's cloud; each secret by ``..._file`` or ``..._env``."""

    dialect: Name
    account: Name
    url: Name
    client_id: Name
    system: list[SystemPart] = Field(min_length=1)
    client_secret_file: str = ""
    client_secret_env: str = ""
    refresh_token_file: str = ""
    refresh_token_env: str = ""
    api_key_file: str = ""
    api_key_env: str = ""
    every_s: Seconds = 3_600

    def systems(self) -> list[System]:
        """The systems to read. Raises Invalid ``connect.system``."""
        return [System(one.id, one.device, _us(one.since), one.channel, ZoneInfo(one.zone)) for one in self.system]

    def account_at(self, folder: Path) -> Account:
        """The account with its secrets; relative files lie in ``folder``. Raises as `secret.from_file`."""
        return Account(
            self.account,
            self.url,
            self.client_id,
            _secret("client_secret", self.client_secret_file, self.client_secret_env, folder),
            _secret("refresh_token", self.refresh_token_file, self.refresh_token_env, folder),
            _secret("api_key", self.api_key_file, self.api_key_env, folder)
            if self.api_key_file or self.api_key_env
            else None,
        )


def read_settings(path: Path, kind: type[P]) -> P:
    """A settings file.

    Raises:
        NotFound: ``connect.no_settings``. Invalid: ``connect.settings``, naming fields and never their values.
    """
    try:
        given: dict[str, Any] = tomllib.loads(path.read_text("utf-8"))
    except OSError:
        raise NotFound("connect.no_settings", "The settings cannot be read.", file=path.name) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError):
        raise Invalid("connect.settings", "The settings are no TOML.", file=path.name) from None
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        found = [f"{'.'.join(map(str, one['loc'])) or 'file'}: {one['msg']}" for one in error.errors()]
        raise Invalid("connect.settings", "The settings do not fit.", hint="; ".join(found[:8])) from None


def _secret(name: str, file: str, variable: str, folder: Path) -> Secret:
    if bool(file) == bool(variable):
        raise Invalid("connect.settings", "A secret lies in a file or in a variable: name one.", secret=name)
    return from_file(folder / file) if file else from_environment(variable, os.environ)


def _us(at: datetime) -> int:
    return to_us(at)

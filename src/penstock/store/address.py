"""Where a workspace's facts are: beside its segments in SQLite, or in a PostgreSQL database that settings name.

The address comes from ``store.toml`` in the workspace folder or from the environment, never from a command line,
where other users could read it. A password is better kept where libpq looks for one (``PGPASSFILE``, ``PGPASSWORD``);
one in ``store.toml`` is accepted only where nobody else may read the file.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from penstock.errors import Invalid, Refused
from penstock.store.disk import disk_errors
from penstock.store.sqlite_store import SQL_FILE

SETTINGS_FILE: Final = "store.toml"
MARKER_FILE: Final = "workspace"
ADDRESS_VARIABLE: Final = "PENSTOCK_DATABASE"
SCHEMA_VARIABLE: Final = "PENSTOCK_SCHEMA"
DEFAULT_SCHEMA: Final = "penstock"
_SCHEMA: Final = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_OTHERS: Final = 0o077


@dataclass(frozen=True, slots=True)
class Address:
    """A PostgreSQL database, as libpq takes it, and the schema in it that holds one workspace."""

    conninfo: str = field(repr=False)  # may hold a password
    schema: str = DEFAULT_SCHEMA

    def __post_init__(self) -> None:
        if not _SCHEMA.fullmatch(self.schema):
            sentence = "A schema's name has up to 63 letters a-z, digits and underscores, no digit first."
            raise Invalid("store.address", sentence, schema=self.schema)


def address_of(path: Path, environment: Mapping[str, str]) -> Address | None:
    """The PostgreSQL address of the workspace at ``path``; None where its facts are in SQLite.

    A folder that holds facts stays what it is, whatever the environment says.

    Raises:
        Invalid: ``store.settings`` for a file that cannot be read as settings, ``store.address``,
            ``store.no_address`` where the folder belongs to a database that nothing names,
            ``store.two_engines`` where a folder with a SQLite file has settings for PostgreSQL.
        Refused: ``store.settings_open`` where a file with a password can be read by other users.
    """
    in_sqlite, settings = (path / SQL_FILE).exists(), path / SETTINGS_FILE
    if settings.is_file():
        if in_sqlite:
            hint = f"Take {SETTINGS_FILE} away, or begin in another folder."
            raise Invalid("store.two_engines", "This workspace's facts are in SQLite.", hint=hint, path=path)
        return _from_file(settings, environment)
    if in_sqlite:
        return None
    if ADDRESS_VARIABLE in environment:
        return Address(environment[ADDRESS_VARIABLE], environment.get(SCHEMA_VARIABLE, DEFAULT_SCHEMA))
    if (path / MARKER_FILE).is_file():
        raise _no_address(path)
    return None


def _from_file(settings: Path, environment: Mapping[str, str]) -> Address:
    read = _read(settings)
    conninfo, schema = read.get("address", environment.get(ADDRESS_VARIABLE)), read.get("schema", DEFAULT_SCHEMA)
    if conninfo is None:
        raise _no_address(settings.parent)
    if not (isinstance(conninfo, str) and isinstance(schema, str)) or read.keys() - {"address", "schema"}:
        raise _not_settings(settings, "it holds an address and a schema, both texts")
    if "address" in read and _has_password(conninfo) and settings.stat().st_mode & _OTHERS:
        hint = f"chmod 600 {SETTINGS_FILE}, or keep the password in libpq's password file."
        raise Refused("store.settings_open", "Other users can read the database's password.", hint=hint, path=settings)
    return Address(conninfo, schema)


def _read(settings: Path) -> dict[str, Any]:
    try:
        with disk_errors():
            return tomllib.loads(settings.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        raise _not_settings(settings, "it is no TOML") from None


def _has_password(conninfo: str) -> bool:
    """Whether a URL or a list of words names one; in doubt yes."""
    return "password" in conninfo or re.match(r"\w+://[^/@]*:[^/@]*@", conninfo) is not None


def _not_settings(settings: Path, why: str) -> Invalid:
    hint = 'For example: address = "host=/run/postgresql dbname=penstock"'
    return Invalid("store.settings", f"The store's settings cannot be used: {why}.", hint=hint, path=settings)


def _no_address(path: Path) -> Invalid:
    hint = f"Name it in {ADDRESS_VARIABLE}, or as address in {SETTINGS_FILE}."
    return Invalid(
        "store.no_address", "This workspace's facts are in a database that is not named.", hint=hint, path=path
    )

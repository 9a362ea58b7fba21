"""What PostgreSQL's driver raises, in the words of the error tree."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors as sqlstate
from sqlalchemy.exc import DBAPIError

from penstock.errors import Conflict, Corrupt, NotFound, PenstockError, Unavailable
from penstock.store.disk import disk_failed, disk_full


@contextmanager
def sql_errors() -> Iterator[None]:
    """Turns what the driver raises into its place in the error tree.

    Raises:
        Conflict: ``store.fenced``.
        Unavailable: ``store.disk_full``, ``store.disk_failed``, ``store.busy``, ``store.unreachable``,
            ``store.unreadable``.
        Corrupt: ``store.sql_damaged``.
        NotFound: ``store.no_workspace``.
    """
    try:
        yield
    except psycopg.Error as error:
        raise _meaning(error) from error
    except DBAPIError as error:
        if isinstance(error.orig, psycopg.Error):
            raise _meaning(error.orig) from error
        raise


def _meaning(error: psycopg.Error) -> PenstockError | psycopg.Error:
    state = error.sqlstate or ""
    reason = str(error).partition("\n")[0]
    if isinstance(error, sqlstate.DiskFull):
        return disk_full()
    if state[:2] == "23":
        return Conflict("store.fenced", "Another writer recorded this place first.", reason=reason)
    if state in ("XX001", "XX002"):
        hint = "Restore a backup."
        return Corrupt("store.sql_damaged", "The database is damaged.", hint=hint, reason=reason)
    if state in ("25006", "42501"):
        return Unavailable("store.unreadable", "The database does not permit that.", reason=reason)
    if state == "42P01":
        return NotFound("store.no_workspace", "There is no workspace in this schema.", reason=reason)
    if state[:2] in ("40", "53", "55"):
        return Unavailable("store.busy", "The database is busy.", hint="Try again.", reason=reason)
    if state[:2] == "58":
        return disk_failed(reason)
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        hint = "Is the server up? Send the command again under the same key: it is recorded once at most."
        return Unavailable("store.unreachable", "The database does not answer.", hint=hint, reason=reason)
    return error  # a defect of this program, not of the database

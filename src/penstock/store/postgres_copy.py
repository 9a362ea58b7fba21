"""Rows into PostgreSQL in bulk: binary COPY, which fails whole, and by way of a staging table where rows may stand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import psycopg
from psycopg import sql
from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, String

from penstock.store.sql import Into

_PLACE: Final = "place"
_TYPES: Final = ((BigInteger, "int8"), (Integer, "int4"), (Boolean, "bool"), (LargeBinary, "bytea"), (String, "text"))


def append_rows(cursor: psycopg.Cursor[Any], into: Into, rows: Sequence[Sequence[Any]]) -> None:
    """Insert rows straight into the table: all of them, or an error."""
    _copy(cursor, into.table.name, into.names, _types(into), rows)


def stage_rows(cursor: psycopg.Cursor[Any], into: Into, rows: Sequence[Sequence[Any]]) -> int:
    """Insert the rows that no key stands against, in order; returns how many those were."""
    stage, names = f"stage_{into.table.name}", sql.SQL(", ").join(map(sql.Identifier, into.names))
    parts = {"stage": sql.Identifier(stage), "table": sql.Identifier(into.table.name), "names": names}
    parts |= {"place": sql.Identifier(_PLACE)}
    make = "CREATE TEMP TABLE IF NOT EXISTS {stage} ON COMMIT DELETE ROWS AS SELECT 0::int8 AS {place}, {names} "
    cursor.execute(sql.SQL(make + "FROM {table} WITH NO DATA").format(**parts))
    cursor.execute(sql.SQL("TRUNCATE {stage}").format(**parts))
    placed = ((place, *row) for place, row in enumerate(rows))
    _copy(cursor, stage, (_PLACE, *into.names), ("int8", *_types(into)), placed)
    move = "INSERT INTO {table} ({names}) SELECT {names} FROM {stage} ORDER BY {place} ON CONFLICT DO NOTHING"
    cursor.execute(sql.SQL(move).format(**parts))
    return cursor.rowcount


def _copy(cursor: psycopg.Cursor[Any], table: str, names: Sequence[str], types: Sequence[str], rows: Any) -> None:
    statement = sql.SQL("COPY {} ({}) FROM STDIN (FORMAT BINARY)")
    columns = sql.SQL(", ").join(map(sql.Identifier, names))
    with cursor.copy(statement.format(sql.Identifier(table), columns)) as copy:
        copy.set_types(types)
        for row in rows:
            copy.write_row(row)


def _types(into: Into) -> tuple[str, ...]:
    return tuple(_type(into.table.c[name]) for name in into.names)


def _type(column: Column[Any]) -> str:
    """The server's own name: binary COPY converts nothing."""
    return next(name for kind, name in _TYPES if isinstance(column.type, kind))

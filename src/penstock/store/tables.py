"""The SQL schema, one for every engine. Facts are inserted and read; all other tables may change."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

SCHEMA_VERSION: Final = "3"
OLDER_SCHEMAS: Final = ("1", "2")
"""Schemas whose tables are all here unchanged: opened to write, such a workspace gets the tables it lacks."""
METADATA: Final = MetaData()

# The writer gives seq, so that two writers collide here instead of interleaving. SQLite's rowid is this integer.
FACT: Final = Table(
    "fact",
    METADATA,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=False),
    Column("kind", String(64), nullable=False),
    Column("at_us", BigInteger, nullable=False),
    Column("key", String(64), nullable=False),
    Column("part", Integer, nullable=False),
    Column("input_hash", LargeBinary(32), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("segment", String(64), nullable=True),
    Column("prev", LargeBinary(32), nullable=False),
    Column("hash", LargeBinary(32), nullable=False),
    UniqueConstraint("key", "part"),
    CheckConstraint("seq >= 0"),
)
_HAS_SEGMENT = FACT.c.segment.is_not(None)
Index("fact_segment", FACT.c.segment, sqlite_where=_HAS_SEGMENT, postgresql_where=_HAS_SEGMENT)

OUTBOX: Final = Table(
    "outbox",
    METADATA,
    Column("planned", Integer, primary_key=True, autoincrement=True),
    Column("id", String(128), nullable=False, unique=True),
    Column("sender", LargeBinary(20), nullable=False),
    Column("target", LargeBinary(20), nullable=True),
    Column("data", LargeBinary, nullable=False),
    Column("value", Text, nullable=False),  # wei, beyond 64 bits: decimal digits
    Column("nonce", BigInteger, nullable=True),
    Column("raw", LargeBinary, nullable=True),
    Column("tx_hash", LargeBinary(32), nullable=True),
    Column("state", String(16), nullable=False, index=True),
    Column("note", Text, nullable=False),
)

OBSERVATION: Final = Table(
    "observation",
    METADATA,
    Column("block_hash", LargeBinary(32), primary_key=True),
    Column("log_index", Integer, primary_key=True, autoincrement=False),
    Column("block_number", BigInteger, nullable=False, index=True),
    Column("tx_hash", LargeBinary(32), nullable=False),
    Column("address", LargeBinary(20), nullable=False),
    Column("topics", LargeBinary, nullable=False),  # 32 bytes each, joined
    Column("data", LargeBinary, nullable=False),
    Column("final", Boolean, nullable=False),
)

META: Final = Table(
    "meta", METADATA, Column("name", String(32), primary_key=True), Column("value", Text, nullable=False)
)

# Secrets that make the salts of one subject's rows of one day; ``scope`` is the column that numbers the subject.
SEED: Final = Table(
    "seed",
    METADATA,
    Column("scope", String(16), primary_key=True),
    Column("day", BigInteger, primary_key=True, autoincrement=False),  # days since 1970, UTC
    Column("subject", BigInteger, primary_key=True, autoincrement=False),
    Column("seed", LargeBinary(32), nullable=False),
    sqlite_with_rowid=False,
)

# Where the rows of a segment lie now, once they no longer lie in the file that its fact names.
PLACE: Final = Table(
    "place",
    METADATA,
    Column("segment", String(64), primary_key=True),
    Column("format", String(32), nullable=False),
    Column("file", String(64), nullable=True),  # none where every row was erased
    Column("start", BigInteger, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("total", BigInteger, nullable=False),
    Column("erased", LargeBinary, nullable=False),
    Column("present", LargeBinary, nullable=False),
    Column("nodes", LargeBinary, nullable=False),
)

# The files of small segments, by digest: what a single act makes, until it is put together with others.
SMALL: Final = Table(
    "small_segment",
    METADATA,
    Column("segment", String(64), primary_key=True),
    Column("data", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

# Who is behind an account: the only place that says so.
PERSON: Final = Table(
    "person", METADATA, Column("account", String(128), primary_key=True), Column("said", Text, nullable=False)
)

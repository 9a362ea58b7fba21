"""A table of assets, read and checked: columns of whole numbers, one row an asset, ready for flows and for pooling.

Every cell that cannot be read and every row that contradicts itself is told at once, by row, column and remedy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from penstock.capital.asset_fields import (
    ASSET_KINDS,
    BALANCE_MAX,
    FIELDS,
    LENDING,
    NAMES,
    REGISTERS,
    REPAYMENTS,
    Repayment,
)
from penstock.errors import Invalid
from penstock.period import DAY_US

Ints = NDArray[Any]
ROWS_MAX: Final = 1_000_000
SHOWN: Final = 20
ALIKE: Final = 0.85  # a column this close to a known one is more likely a slip than another matter
EMPTY: Final = -1


@dataclass(frozen=True, slots=True, order=True)
class AssetMistake:
    """One thing to mend: the row (from 1, without the header; 0 for the whole table), column, what and what instead."""

    row: int
    column: str
    message: str
    remedy: str

    def __str__(self) -> str:
        where = f"row {self.row}, {self.column}" if self.row else self.column
        return f"{where}: {self.message} {self.remedy}"


class MalformedAssets(Invalid):
    """``assets.malformed``: the mistakes of a table of assets, in the order of its rows."""

    def __init__(self, mistakes: Sequence[AssetMistake]) -> None:
        self.mistakes = tuple(sorted(mistakes))
        count, shown = len(self.mistakes), self.mistakes[:SHOWN]
        more = [f"... and {count - SHOWN:,} more"] if count > SHOWN else []
        super().__init__(
            "assets.malformed",
            f"The table of assets has {count:,} mistake{'s' if count != 1 else ''}.",
            hint="Mend each cell named; docs/assets.md explains every column.",
            mistakes="\n".join([*map(str, shown), *more]),
        )

    def to_json(self) -> dict[str, object]:
        """As every error, by its kind in the tree."""
        return super().to_json() | {"error": Invalid.__name__}


@dataclass(frozen=True, slots=True, eq=False)
class Named:
    """A column of names: each row's code into ``names``."""

    codes: Ints
    names: tuple[str, ...]

    def of(self, row: int) -> str:
        """The name in a row."""
        return self.names[int(self.codes[row])]


@dataclass(frozen=True, slots=True, eq=False)
class AssetTable:
    """Assets as columns, all of one length.

    Attributes:
        named: ``asset``, ``contract``, ``offtaker``, ``obligor``, ``region``.
        kind, technology, assurance, related: codes as in the segment ``asset/1``.
        balance_usdc_micro, value_usdc_micro: outstanding, and worth (the balance where the table does not say).
        rate_e8: a year [hundred-millionths].
        start_us, ends_us, first_due_us: the contract's begin and end, and the next payment [us since 1970].
        term_periods, every_months: payments left, and the months between them.
        payment_usdc_micro: each; 0 where it follows from balance, rate and term.
        repays, count: codes as in ``REPAYMENTS`` and ``COUNTS``.
        escalation_e8, degradation_e8: a year, of a fixed price [hundred-millionths].
        registers: of each asset, the registers that count it.
    """

    named: Mapping[str, Named]
    kind: Ints
    technology: Ints
    assurance: Ints
    related: Ints
    balance_usdc_micro: Ints
    value_usdc_micro: Ints
    rate_e8: Ints
    start_us: Ints
    ends_us: Ints
    first_due_us: Ints
    term_periods: Ints
    every_months: Ints
    payment_usdc_micro: Ints
    repays: Ints
    count: Ints
    escalation_e8: Ints
    degradation_e8: Ints
    registers: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return int(self.kind.size)


def read_assets(table: pa.Table) -> AssetTable:
    """The assets of a table whose columns `asset_fields` names; other columns are left aside.

    Raises:
        MalformedAssets: ``assets.malformed`` with every mistake in ``mistakes``.
        Invalid: ``assets.empty`` without a row, ``assets.too_many`` beyond a million.
    """
    if not table.num_rows:
        raise Invalid("assets.empty", "The table has no assets.", hint="Write one row an asset.")
    if table.num_rows > ROWS_MAX:
        raise Invalid("assets.too_many", "A table has at most a million assets.", hint="Split it.", rows=table.num_rows)
    reader = _Reader(table)
    reader.check_columns()
    if reader.mistakes:
        raise MalformedAssets(reader.mistakes)
    assets = reader.assets()
    if not reader.mistakes:
        reader.mistakes.extend(contradictions(assets))
    if reader.mistakes:
        raise MalformedAssets(reader.mistakes)
    return assets


@dataclass(slots=True)
class _Reader:
    """Columns of text to columns of numbers; each distinct text is read once."""

    table: pa.Table
    mistakes: list[AssetMistake] = field(default_factory=list)

    def check_columns(self) -> None:
        known = (*NAMES, *FIELDS, REGISTERS)
        for name in dict.fromkeys(self.table.column_names):
            close = get_close_matches(name, known, 1, ALIKE)
            if self.table.column_names.count(name) > 1 and name in known:
                self.wrong(0, name, "The column stands twice.", "Keep one of them.")
            elif name not in known and close and close[0] not in self.table.column_names:
                self.wrong(0, name, "No such column is known.", f"Did you mean `{close[0]}`?")
        for name in (*NAMES, *(name for name, one in FIELDS.items() if one.default is None)):
            if name not in self.table.column_names:
                self.wrong(0, name, "The column is missing.", f"Add `{name}`.")

    def wrong(self, row: int, column: str, message: str, remedy: str) -> None:
        self.mistakes.append(AssetMistake(row, column, message, remedy))

    def texts(self, name: str) -> tuple[Ints, list[str]]:
        """Each row's code, and the distinct texts."""
        cells = pc.utf8_trim_whitespace(self.table.column(name).cast(pa.string()).combine_chunks().fill_null(""))
        encoded = cells.dictionary_encode()
        names: list[str] = encoded.dictionary.to_pylist()
        return encoded.indices.to_numpy(zero_copy_only=False), names

    def named(self, name: str) -> Named:
        codes, names = self.texts(name)
        if "" in names:
            self.empty(name, codes, names.index(""))
        return Named(codes, tuple(names))

    def empty(self, name: str, codes: Ints, empty: int) -> None:
        for row in np.flatnonzero(codes == empty).tolist():
            self.wrong(row + 1, name, "The cell is empty.", "Every asset says it.")

    def numbers(self, name: str) -> Ints:
        """A column's numbers; -1 where an optional cell is empty."""
        field_of = FIELDS[name]
        if name not in self.table.column_names:
            return np.full(self.table.num_rows, self.default(name), dtype=np.int64)
        codes, texts = self.texts(name)
        values = np.zeros(len(texts), dtype=np.int64)
        for at, text in enumerate(texts):
            value = field_of.read(text) if text else self.default(name)
            if value is None:
                self.refuse(name, codes, at, text)
            else:
                values[at] = value
        return values[codes]

    def default(self, name: str) -> int | None:
        text = FIELDS[name].default
        if text is None:
            return None
        return FIELDS[name].read(text) if text else EMPTY

    def refuse(self, name: str, codes: Ints, at: int, text: str) -> None:
        if not text:
            return self.empty(name, codes, at)
        for row in np.flatnonzero(codes == at).tolist():
            self.wrong(row + 1, name, f"`{text[:40]}` cannot be read.", FIELDS[name].remedy)
        return None

    def registers(self) -> tuple[tuple[str, ...], ...]:
        if REGISTERS not in self.table.column_names:
            return ((),) * int(self.table.num_rows)
        codes, texts = self.texts(REGISTERS)
        lists = [tuple(part.strip() for part in text.split(";") if part.strip()) for text in texts]
        return tuple(lists[code] for code in codes.tolist())

    def assets(self) -> AssetTable:
        kind, repays = self.numbers("kind"), self.numbers("repays")
        lends = np.array([one in LENDING for one in ASSET_KINDS])[kind]
        usual = np.where(lends, REPAYMENTS.index(Repayment.LEVEL), REPAYMENTS.index(Repayment.FIXED))
        balance, value, payment = (self.numbers(f"{name}_usdc") for name in ("balance", "value", "payment"))
        return AssetTable(
            named={name: self.named(name) for name in NAMES},
            kind=kind.astype(np.uint8),
            technology=self.numbers("technology").astype(np.uint8),
            assurance=self.numbers("assurance").astype(np.uint8),
            related=self.numbers("related").astype(np.uint8),
            balance_usdc_micro=balance,
            value_usdc_micro=np.where(value == EMPTY, balance, value),
            rate_e8=self.numbers("rate_percent"),
            start_us=self.numbers("starts"),
            ends_us=self.numbers("ends"),
            first_due_us=self.numbers("first_due"),
            term_periods=self.numbers("term_periods").astype(np.int32),
            every_months=self.numbers("every_months"),
            payment_usdc_micro=np.maximum(payment, 0),
            repays=np.where(repays == EMPTY, usual, repays).astype(np.uint8),
            count=self.numbers("count").astype(np.uint8),
            escalation_e8=self.numbers("escalation_percent"),
            degradation_e8=self.numbers("degradation_percent"),
            registers=self.registers(),
        )


def contradictions(assets: AssetTable) -> list[AssetMistake]:
    """Rows whose cells do not go together: names twice, dates out of order, a fixed price that is none."""
    fixed = assets.repays == REPAYMENTS.index(Repayment.FIXED)
    id_codes = assets.named["asset"].codes
    first = np.zeros(len(assets), dtype=bool)
    first[np.unique(id_codes, return_index=True)[1]] = True
    last_due_us = last_due_days(assets) * DAY_US
    findings = (
        (~first, "asset", "The name stands twice.", "Give every asset a name of its own."),
        (assets.ends_us <= assets.start_us, "ends", "The contract ends before it starts.", "Mend one of the dates."),
        (
            assets.first_due_us < assets.start_us,
            "first_due",
            "The next payment is due before the contract starts.",
            "Mend one of the dates.",
        ),
        (
            last_due_us > assets.ends_us,
            "term_periods",
            "Payments run beyond the contract's end.",
            "Shorten the term, or mend `ends`.",
        ),
        (
            fixed & (assets.payment_usdc_micro == 0),
            "payment_usdc",
            "A fixed price is missing.",
            "Write the price of a period, or another way in `repays`.",
        ),
        (
            fixed & (last_price_usdc_micro(assets) > BALANCE_MAX),
            "escalation_percent",
            "The price rises beyond 4.5 billion dollars.",
            "Write percent a year, as 1.5.",
        ),
        (~fixed & (assets.balance_usdc_micro == 0), "balance_usdc", "Nothing is outstanding.", "Leave the asset out."),
    )
    return [
        AssetMistake(row + 1, column, message, remedy)
        for found, column, message, remedy in findings
        for row in np.flatnonzero(found).tolist()
    ]


def last_due_days(assets: AssetTable) -> Ints:
    """The day of each asset's last payment [days since 1970]."""
    months = assets.every_months * (assets.term_periods.astype(np.int64) - 1)
    return days_after(assets.first_due_us // DAY_US, months)


def last_price_usdc_micro(assets: AssetTable) -> Ints:
    """About the most that a payment of a fixed price comes to [micro-dollars], as floats: for bounds alone."""
    years = assets.every_months * assets.term_periods / 12
    found: Ints = assets.payment_usdc_micro * (1 + assets.escalation_e8 / 1e8) ** years
    return found


def days_after(days: Ints, months: Ints) -> Ints:
    """The same days of the month ``months`` later, or the months' last [days since 1970]."""
    dates = days.astype("datetime64[D]")
    begun = dates.astype("datetime64[M]")
    day = (dates - begun).astype(np.int64)
    month = begun + months
    length = ((month + 1).astype("datetime64[D]") - month.astype("datetime64[D]")).astype(np.int64)
    found: Ints = month.astype("datetime64[D]").astype(np.int64) + np.minimum(day, length - 1)
    return found

"""The assets pledged to deals, in columns by number, and the parties each one names."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.capital.asset_fields import ASSET_KINDS, NO_TECHNOLOGY
from penstock.errors import Invalid, NotFound
from penstock.journal.asset_rows import Named, key_of
from penstock.journal.formats import ASSETS
from penstock.journal.names import Names
from penstock.journal.register import grown
from penstock.journal.segment import Column, Columns
from penstock.journal.words import ASSURANCES, TECHNOLOGIES

Ints = NDArray[np.int64]
USDC_MICRO_MAX: Final = 2**53
"""The most one asset, bill or payment can be [micro-dollars]: nine billion dollars."""
SUM_MAX: Final = 2**62 - 1
"""The most that many of them are together [micro-dollars]; a lane of a deal holds no more either."""
PARTIES: Final = ("contract", "offtaker", "obligor", "region")
_STATE: Final = (("deal", "int32"), ("past_due_days", "int32"), ("pooled_in", "int32"), ("released", "bool"))
_AMOUNTS: Final = ("disputed_usdc_micro", "written_off_usdc_micro", "said_usdc_micro")


def total(amounts: Column) -> int:
    """The exact sum of a column: int64 alone would wrap, so that much might look like nothing."""
    column = np.asarray(amounts, dtype=np.int64)
    return (int((column >> 32).sum()) << 32) + int((column & 0xFFFFFFFF).sum())


class Pooled:
    """Every asset ever pledged, by number: as in ``asset/1``, and how it stands since.

    ``deal`` is the deal's number, ``pooled_in`` the period in which it came (-1: before the first), ``balance`` what is
    outstanding as of the last tape less what was written off since, ``said`` what that tape said.
    """

    def __init__(self) -> None:
        self.names: list[str] = []
        self._numbers: dict[str, int] = {}  # a name's newest number: released, an asset may be pledged again
        self._by_key: dict[str, int] = {}  # the same, however the name is spelled
        self.deals = Names("deal")
        self.parties = {party: Names(party) for party in PARTIES}
        self.registers: list[tuple[str, ...]] = []
        kinds = (*ASSETS.fixed[1:], *_STATE, *((name, "int64") for name in _AMOUNTS), *((p, "int32") for p in PARTIES))
        self._columns: dict[str, NDArray[Any]] = {name: np.zeros(16, dtype=kind) for name, kind in kinds}

    def __len__(self) -> int:
        return len(self.registers)

    def __getitem__(self, column: str) -> NDArray[Any]:
        """A column by name, of every asset; writable."""
        return self._columns[column][: len(self)]

    def number(self, asset: str) -> int:
        """An asset's number by the name it goes by now; NotFound ``asset.unknown``."""
        if asset not in self._numbers:
            raise NotFound("asset.unknown", f"There is no asset {asset}.", hint="Pool it first.", asset=asset)
        return self._numbers[asset]

    def live(self, deal: str) -> Ints:
        """The numbers of a deal's assets that it still holds."""
        if deal not in self.deals:
            return np.empty(0, dtype=np.int64)
        return np.flatnonzero((self["deal"] == self.deals.id_of(deal)) & ~self["released"])

    def check(self, rows: Columns, named: Sequence[Named]) -> None:
        """That rows of ``asset/1`` can follow.

        Raises:
            Invalid: ``asset.fields`` for a number, code, amount or date that cannot be; ``asset.number``.
        """
        if not np.array_equal(rows["asset"], np.arange(len(self), len(self) + len(named))):
            raise Invalid("asset.number", "Assets are numbered in order of recording, over all deals.")
        bad = (rows["kind"] >= len(ASSET_KINDS)) | (rows["assurance"] >= len(ASSURANCES)) | (rows["related"] > 1)
        bad |= (rows["technology"] >= len(TECHNOLOGIES)) & (rows["technology"] != NO_TECHNOLOGY)
        bad |= rows["ends_us"] <= rows["start_us"]
        bad |= (rows["rate_e8"] < 0) | (rows["rate_e8"] > 10**10) | (rows["term_periods"] < 0)
        for name in ("balance_usdc_micro", "value_usdc_micro", "payment_usdc_micro"):
            bad |= (rows[name] < 0) | (rows[name] > USDC_MICRO_MAX)
        if bad.any():
            row = int(np.argmax(bad))
            hint = "Amounts and rates are from 0 up, a contract ends after it starts, codes are known ones."
            raise Invalid("asset.fields", f"{named[row].asset} has a field that cannot be.", hint=hint, row=row)

    def check_sums(self, deal: str, rows: Columns) -> None:
        """That amounts of all the deal holds add up in 63 bits; raises Invalid ``asset.sum``."""
        held = self.live(deal)
        for name in ("balance_usdc_micro", "value_usdc_micro", "payment_usdc_micro"):
            if total(self[name][held]) + total(rows[name]) > SUM_MAX:
                hint = "Write amounts in dollars; a deal holds assets of less than 4.6 trillion."
                raise Invalid("asset.sum", "A deal's assets are together more than it can hold.", hint=hint, deal=deal)

    def add(self, deal: str, pooled_in: int, rows: Columns, named: Sequence[Named]) -> None:
        """Take checked rows in; their names are free (`ServicingBook` sees to that)."""
        first, last = len(self), len(self) + len(named)
        self.registers += [one.registers for one in named]
        self._columns = {name: grown(column, last) for name, column in self._columns.items()}
        for name, _ in ASSETS.fixed[1:]:
            self[name][first:] = rows[name]
        self["deal"][first:] = self.deals.intern(deal)
        self["pooled_in"][first:] = pooled_in
        self["said_usdc_micro"][first:] = rows["balance_usdc_micro"]
        self["written_off_usdc_micro"][first:] = self._lost(named)
        for party, names in self.parties.items():
            self[party][first:] = [names.intern(getattr(one, party)) for one in named]
        self.names += [one.asset for one in named]
        self._by_key.update((key_of(one.asset), number) for number, one in enumerate(named, start=first))
        self._numbers.update(zip(self.names[first:], range(first, last), strict=True))

    def _lost(self, named: Sequence[Named]) -> Ints:
        """What was written off of assets of these names before: one that leaves and comes back is no new one."""
        before = [self._by_key.get(key_of(one.asset), -1) for one in named]
        lost = self["written_off_usdc_micro"][: len(self.names)]
        return np.array([lost[number] if number >= 0 else 0 for number in before], dtype=np.int64)

    def check_held(self, deal: str, assets: Column) -> None:
        """That the deal holds these assets; NotFound ``asset.unknown``, ``asset.not_held``."""
        unknown = (assets < 0) | (assets >= len(self))
        if unknown.any():
            row = int(np.argmax(unknown))
            raise NotFound("asset.unknown", f"There is no asset numbered {assets[row]}.", row=row)
        if deal not in self.deals:
            raise NotFound("asset.not_held", f"{deal} holds no assets.", hint="Pool them first.", deal=deal)
        elsewhere = (self["deal"][assets] != self.deals.id_of(deal)) | self["released"][assets]
        if elsewhere.any():
            row = int(np.argmax(elsewhere))
            name = self.names[int(assets[row])]
            raise NotFound("asset.not_held", f"{deal} does not hold {name}.", row=row, asset=name, deal=deal)

    def digest_parts(self) -> list[bytes]:
        """The bytes of every column, for a digest."""
        return [self[name].tobytes() for name in sorted(self._columns)]

"""Where a deal's values lie on the machine: lasting lanes by name, a pool of constants, temporaries.

Constants and temporaries are symbolic (``program.CONSTANT``, ``program.TEMPORARY``) until all are counted.
"""

from __future__ import annotations

from typing import Final

from penstock.capital.deal import Deal, Fee, Tranche
from penstock.capital.program import ADVANCE_A, ADVANCE_B, ADVANCE_C, CONSTANT, TEMPORARY
from penstock.capital.used import Used
from penstock.errors import Refused

COLLECT: Final = 4
DAYS_30_360: Final = 224
DAYS: Final = 225
SECONDS: Final = 226
INFINITE: Final = 227
ZERO: Final = 228
ONE: Final = 229
INFLOW: Final = 230
STALE: Final = 231
NEGATIVE: Final = 232
MEASURE: Final = 238
INFINITE_WHEN_STALE: Final = 244
COLUMN: Final = 245
VALUE_MAX: Final = 2**62
STATE_WORDS_MAX: Final = 56
ITEMS_MAX: Final = 16
ADVANCE_ALL: Final = ADVANCE_A | ADVANCE_B | ADVANCE_C


class Registers:
    """The lanes of a deal. Slot 0, then accounts and payees' counters, then balances and what is owed, then the rest.

    Attributes:
        notes: tranches that bear interest; ``bearing`` those of them with a balance of their own.
        scheduled: from the first to the last with scheduled principal.
        owing: fees that are owed something; the others take what a line hands them.

    Raises:
        Refused: ``program.too_large`` where the chain's machine has too few lanes.
    """

    def __init__(self, deal: Deal, used: Used) -> None:
        self.notes = tuple(tranche for tranche in deal.tranches if not tranche.residual)
        self.bearing = tuple(note for note in self.notes if note.notional is None)
        self.scheduled = _scheduled(self.bearing)
        self.owing = tuple(fee for fee in deal.fees if is_owed(fee))
        self.constants: list[int] = []
        self.temporaries = 0
        cash = [account.name for account in deal.accounts] + [f"{name}.paid" for name in deal.payees]
        lasting = self._lasting(deal, used)
        self.paid = COLLECT + len(deal.accounts)
        self.cash_words = -(-len(cash) // 4)
        self.state_words = 1 + self.cash_words + max(1, -(-len(lasting) // 4))
        if self.state_words > STATE_WORDS_MAX or len(self.notes) > ITEMS_MAX:
            hint = "Use fewer tranches, accounts or fees."
            raise Refused("program.too_large", "The deal has more lanes than the chain's machine.", hint=hint)
        first = COLLECT + 4 * self.cash_words
        self.lanes = {name: COLLECT + i for i, name in enumerate(cash)}
        self.lanes |= {name: first + i for i, name in enumerate(lasting)}
        self.measures = {measure.name: MEASURE + i for i, measure in enumerate(deal.measures)}
        self.columns = {column.name: COLUMN + i for i, column in enumerate(deal.schedule)}

    def _lasting(self, deal: Deal, used: Used) -> list[str]:
        names = [f"{note.name}.balance" for note in self.bearing] + [f"{note.name}.interest" for note in self.notes]
        names += [f"{note.name}.principal" for note in self.scheduled] + [f"{fee.name}.owed" for fee in self.owing]
        names += [f"{hedge.name}.owed" for hedge in deal.hedges]
        names += [f"{note.name}.undrawn" for note in self.bearing if note.commitment_usdc_micro]
        names += [f"{note.name}.written" for note in self.bearing if note.name in used.written]
        names += [f"{one.name}.was" for one in deal.measures if one.name in used.was]
        return names + [f"{one.name}.total" for one in deal.measures if one.name in used.total]

    def opening(self) -> list[int]:
        """The lasting lanes without cash at the start: balances are faces, commitments are whole, nothing is owed."""
        first = COLLECT + 4 * self.cash_words
        values = [0] * (4 * self.state_words - first)
        for note in self.bearing:
            values[self.lanes[f"{note.name}.balance"] - first] = self.checked(note.face_usdc_micro)
            if note.commitment_usdc_micro:
                values[self.lanes[f"{note.name}.undrawn"] - first] = self.checked(note.commitment_usdc_micro)
        return values

    def checked(self, value: int) -> int:
        """``value``, if it fits.

        Raises:
            Refused: ``program.number_too_large`` from 2**62 on.
        """
        if not 0 <= value < VALUE_MAX:
            hint = "Use fewer decimals or smaller amounts."
            raise Refused("program.number_too_large", "A number exceeds 62 bits.", hint=hint, value=value)
        return value

    def constant(self, *values: int) -> int:
        """The register of a constant, or of the first of several in a row; an equal run is used again."""
        wanted = [self.checked(value) for value in values]
        if wanted in ([0], [1]):
            return ONE if wanted[0] else ZERO
        for at in range(len(self.constants) - len(wanted) + 1):
            if self.constants[at : at + len(wanted)] == wanted:
                return CONSTANT + at
        self.constants += wanted
        return CONSTANT + len(self.constants) - len(wanted)

    def temporary(self, count: int = 1) -> int:
        """A fresh temporary, or the first of several in a row."""
        self.temporaries += count
        return TEMPORARY + self.temporaries - count


def vector(items: int, flags: int = ADVANCE_ALL) -> int:
    """The last byte of a step over ``items``."""
    return items - 1 | flags if items > 1 else 0


def is_owed(fee: Fee) -> bool:
    """Whether anything falls due to a fee by itself."""
    parts = (fee.amount_usdc_micro, fee.per_unit, fee.of_inflow, fee.due, fee.rate)
    return any(part is not None and part != 0 for part in parts)


def _scheduled(notes: tuple[Tranche, ...]) -> tuple[Tranche, ...]:
    """From the first to the last note with scheduled principal, so that their lanes lie in a row."""
    places = [i for i, note in enumerate(notes) if note.principal_usdc_micro or note.principal]
    return notes[places[0] : places[-1] + 1] if places else ()

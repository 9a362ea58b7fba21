"""What a title book's verdicts mean as errors: one code and one sentence each."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from penstock.errors import Conflict, Invalid, NotFound, PenstockError, Refused
from penstock.journal.segment import Columns
from penstock.journal.titles import Verdict

REFUSALS: Final[dict[Verdict, tuple[type[PenstockError], str, str]]] = {
    Verdict.NO_TITLE: (NotFound, "titles.none", "There is no title at this position"),
    Verdict.OTHER_HOLDER: (Refused, "titles.other_holder", "The source does not hold this title"),
    Verdict.NOT_ACTIVE: (Refused, "titles.not_active", "A title in this state cannot change so"),
    Verdict.CROSSES_TITLE: (Refused, "titles.crosses", "The span reaches beyond the title it starts in"),
    Verdict.MALFORMED: (Invalid, "titles.malformed", "The row is malformed, or names nobody or no register"),
    Verdict.OVERLAP_OR_GAP: (Conflict, "titles.overlap_or_gap", "An issue starts where the one before it stopped"),
    Verdict.BEYOND_METER: (Refused, "titles.beyond_meter", "Nothing is issued beyond what the register counted"),
    Verdict.EXPIRED: (Refused, "titles.expired", "This title has expired"),
    Verdict.NOT_EXPIRED: (Refused, "titles.not_expired", "This title is still valid"),
}


def refuse_first(verdicts: NDArray[Any], columns: Columns) -> None:
    """Raise what the first verdict that is not 0 means, with its row; codes as in `REFUSALS`."""
    if verdicts.any():
        row = int(np.argmax(verdicts > 0))
        error, code, sentence = REFUSALS[Verdict(verdicts[row])]
        register, start, stop = (int(columns[name][row]) for name in ("register", "start", "stop"))
        place = f"[{start}, {stop}) of register {register}"
        raise error(code, f"{sentence}: {place}.", row=row, refused=int((verdicts > 0).sum()))

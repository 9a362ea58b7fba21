"""OBIS codes of energy registers (IEC 62056-61), in the many spellings that charging meters use.

``A-B:C.D.E*F``: C says what is measured, D = 8 says that it is counted up, E is the tariff. Records also write ``.F``,
leading zeros, hexadecimal digits, or leave E and F out.
"""

from __future__ import annotations

import re
from typing import Final

_CODE: Final = re.compile(
    r"(?:[0-9A-Za-z]{1,3}-[0-9A-Za-z]{1,3}:)?(?P<c>[0-9A-Fa-f]{1,3})\.(?P<d>[0-9]{1,3})"
    r"(?:\.(?P<e>[0-9A-Za-z]{1,3}))?(?:[*.][0-9A-Za-z]{1,3})?"
)
CHANNELS: Final = {"1": 0, "B0": 0, "2": 1, "C0": 1, "B1": 2, "C1": 3, "B2": 4, "C2": 5, "B3": 6, "C3": 7}
"""Channel by C. Even channels count import, odd ones export.

0 and 1 are the totals at the meter (1.8 and 2.8; B0 and C0 since OCMF 1.4); 2 and 3 those at the vehicle's side of the
cable (B1, C1); 4 to 7 count one transaction alone (B2, C2 at the meter, B3, C3 behind the cable) and begin anew with
each, so that only 0 to 3 are registers that can be certified from.
"""
TRANSACTION_CHANNEL: Final = 4
_COUNTS_UP: Final = "8"


def energy_register(code: str) -> tuple[int, str] | None:
    """Channel and tariff of an energy register; None where the code counts no energy, ValueError where it is none."""
    match = _CODE.fullmatch(code)
    if match is None:
        raise ValueError("not an OBIS code")
    quantity, kind, tariff = match["c"].lstrip("0").upper(), match["d"].lstrip("0"), match["e"] or "0"
    channel = CHANNELS.get(quantity)
    if channel is None or kind != _COUNTS_UP:
        return None
    return channel, tariff.lstrip("0") or "0"

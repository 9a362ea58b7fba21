"""Keys: whether the one that signed was valid when the reading was taken."""

from __future__ import annotations

from penstock.energy.checks.findings import Findings, Ints, marked
from penstock.energy.verdict import ReadingVerdict
from penstock.units import INT64_MAX


def key_at_reading(at_us: Ints, key_since_us: Ints, key_until_us: Ints) -> Findings:
    """Valid from ``key_since_us`` up to, and without, ``key_until_us``: rotated, revoked and retired keys end there.

    A stolen old key can still sign; it cannot sign for a time after its end, nor before its beginning.
    """
    ended = (at_us >= key_until_us) & (key_until_us != INT64_MAX)  # which stands for no end
    return marked((at_us < key_since_us) | ended, ReadingVerdict.KEY_NOT_VALID)

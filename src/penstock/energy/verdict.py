"""Verdicts: every reason why a message or a reading counts or not, with its rule and where the rule comes from.

A verdict is a small code in a column; 0 counts. ``findings`` beside it has a bit (``1 << code``) for everything that
was found. The verdict is the first finding that refuses, else the first that quarantines, else 0: what is merely
noted still counts. Codes are never reused; a changed rule is a new version of `RULES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from penstock.journal.words import Outcome

RULES: Final = "checks/2"


class MessageVerdict(IntEnum):
    """Why a message counts or not."""

    ACCEPTED = 0
    MALFORMED = 1
    UNKNOWN_DEVICE = 2
    BAD_SIGNATURE = 3
    REPLAYED = 4
    GAP = 5
    FORKED = 6
    KEY_NOT_VALID = 7
    UNSUPPORTED_KEY = 8
    WRONG_KEY = 9
    NOT_TAKEN = 10


class ReadingVerdict(IntEnum):
    """Why a reading of an accepted message counts or not."""

    ACCEPTED = 0
    TIME_BACKWARD = 1
    REGISTER_BACKWARD = 2
    OVER_CAPACITY = 3
    FROM_THE_FUTURE = 4
    BEFORE_TIME = 5
    CLOCK_UNSET = 6
    CLOCK_INFORMATIVE = 7
    METER_ERROR = 8
    REGISTER_FROZEN = 9
    ROLLED_OVER = 10
    RESET = 11
    POWER_DIFFERS = 12
    ABOVE_CLEAR_SKY = 13
    AT_NIGHT = 14
    FLAT = 15
    COPIED = 16
    TWIN = 17
    SITE_BALANCE = 18
    REVISED = 19
    KEY_NOT_VALID = 20
    HELD_BACK = 21
    NO_CHANNEL = 22
    ZERO_ENERGY = 23
    DUPLICATE = 24


@dataclass(frozen=True, slots=True)
class Rule:
    """What a finding does, in plain words, and where the rule comes from."""

    outcome: Outcome
    sentence: str
    basis: str


_REFUSED, _QUARANTINED, _NOTED = Outcome.REFUSED, Outcome.QUARANTINED, Outcome.NOTED

MESSAGE_RULES: Final = {
    MessageVerdict.MALFORMED: Rule(_REFUSED, "the bytes are not a message of this form", "the form's definition"),
    MessageVerdict.UNKNOWN_DEVICE: Rule(_REFUSED, "no such device is enrolled", "facts of enrolment"),
    MessageVerdict.BAD_SIGNATURE: Rule(
        _REFUSED, "the enrolled key did not sign these bytes (forged or altered)", "RFC 9052, 4.4; OCMF 1.4, 3"
    ),
    MessageVerdict.REPLAYED: Rule(_REFUSED, "this sequence number was already received (replay)", "own chain"),
    MessageVerdict.GAP: Rule(
        _QUARANTINED, "a message is missing before this one; it counts once that arrives", "own chain; OCMF 1.4, PG"
    ),
    MessageVerdict.FORKED: Rule(_REFUSED, "it does not name the hash of the message before it", "own chain"),
    MessageVerdict.KEY_NOT_VALID: Rule(
        _REFUSED, "the key that signed it was not valid then (rotated, revoked or retired)", "facts of the key's life"
    ),
    MessageVerdict.UNSUPPORTED_KEY: Rule(_REFUSED, "its curve or algorithm is none we verify", "OCMF 1.4, table 20"),
    MessageVerdict.WRONG_KEY: Rule(
        _REFUSED, "the key that came with it is not the one enrolled, or not of the stated algorithm", "OCMF 1.4, 3"
    ),
    MessageVerdict.NOT_TAKEN: Rule(
        _REFUSED, "this device does not send in this form", "the assurance level it was enrolled with"
    ),
}
READING_RULES: Final = {
    ReadingVerdict.TIME_BACKWARD: Rule(_REFUSED, "its time does not come after the last accepted reading", "register"),
    ReadingVerdict.REGISTER_BACKWARD: Rule(
        _REFUSED, "the register stood higher before; a real meter never goes back", "register"
    ),
    ReadingVerdict.OVER_CAPACITY: Rule(
        _REFUSED, "more energy than the device's capacity allows in that time", "capacity times interval"
    ),
    ReadingVerdict.FROM_THE_FUTURE: Rule(
        _REFUSED, "its time lies more than five minutes after it was received", "clock skew"
    ),
    ReadingVerdict.BEFORE_TIME: Rule(_REFUSED, "its time lies before the device was commissioned", "commissioning"),
    ReadingVerdict.CLOCK_UNSET: Rule(_REFUSED, "the meter says its clock was never set", "OCMF 1.4, TM status U"),
    ReadingVerdict.CLOCK_INFORMATIVE: Rule(
        _NOTED, "the meter says its clock is informative or relative only", "OCMF 1.4, TM status I, R"
    ),
    ReadingVerdict.METER_ERROR: Rule(_REFUSED, "the meter reports an error at this reading", "OCMF 1.4, ST and EF"),
    ReadingVerdict.REGISTER_FROZEN: Rule(
        _REFUSED, "the register stood still over more than two charging transactions", "stuck register"
    ),
    ReadingVerdict.ROLLED_OVER: Rule(
        _QUARANTINED, "the register passed its last digit; a new epoch has to be opened", "declared register width"
    ),
    ReadingVerdict.RESET: Rule(
        _QUARANTINED, "the register fell back to near zero; a new epoch has to be opened", "meter event"
    ),
    ReadingVerdict.POWER_DIFFERS: Rule(
        _NOTED, "power over time does not come to what the register counted", "register quantum and half a step"
    ),
    ReadingVerdict.ABOVE_CLEAR_SKY: Rule(
        _QUARANTINED, "more energy over the day than a clear sky allows this plane", "pvlib clear sky, by energy"
    ),
    ReadingVerdict.AT_NIGHT: Rule(_QUARANTINED, "solar energy while the sun was down", "sun's elevation"),
    ReadingVerdict.FLAT: Rule(_NOTED, "the same step again and again, where weather would vary it", "flat line"),
    ReadingVerdict.COPIED: Rule(
        _QUARANTINED, "it follows a neighbour's reading to the watt-hour, or the clear sky itself", "residuals"
    ),
    ReadingVerdict.TWIN: Rule(_QUARANTINED, "another device sent the same readings", "twin devices"),
    ReadingVerdict.SITE_BALANCE: Rule(
        _NOTED, "the site's registers do not add up to its checking meter", "measuring-point tree"
    ),
    ReadingVerdict.REVISED: Rule(
        _QUARANTINED, "the source now says otherwise about a time already counted", "vendors' revised history"
    ),
    ReadingVerdict.KEY_NOT_VALID: Rule(
        _REFUSED, "the key that signed it was not valid at the time of the reading", "facts of the key's life"
    ),
    ReadingVerdict.HELD_BACK: Rule(
        _QUARANTINED, "an earlier reading of this register waits in quarantine", "a register counts on"
    ),
    ReadingVerdict.NO_CHANNEL: Rule(_REFUSED, "the device has no such register", "facts of enrolment"),
    ReadingVerdict.ZERO_ENERGY: Rule(_NOTED, "the register did not move: nothing to issue", "OCMF transactions"),
    ReadingVerdict.DUPLICATE: Rule(_REFUSED, "the same reading was already received", "register"),
}
PACKETS_EXPLAINED: Final = {verdict: rule.sentence for verdict, rule in MESSAGE_RULES.items()}
READINGS_EXPLAINED: Final = {verdict: rule.sentence for verdict, rule in READING_RULES.items()}
"""Why a message or a reading does not count, or what was noted of it, in plain words."""


def outcome_of(rules: Mapping[Any, Rule], verdict: int, findings: int) -> Outcome:
    """What became of a row with this verdict and these findings."""
    if verdict:
        return rules[verdict].outcome
    return Outcome.NOTED if findings else Outcome.ACCEPTED


def found_in(kind: type[MessageVerdict] | type[ReadingVerdict], findings: int) -> list[IntEnum]:
    """The findings whose bits are set, in order of code."""
    return [verdict for verdict in kind if verdict and findings >> verdict & 1]

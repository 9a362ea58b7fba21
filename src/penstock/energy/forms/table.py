"""The forms we take: how each is read, and the most it can vouch for. A new form is one file and one row here.

Every parser gives the device's enrolled name in ``Said.device``: the name as signed for our own and for carried
messages, the meter's serial (else the gateway's) for OCMF, the address in lower case for PoGG.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from penstock.energy.forms import carried, cose, ocmf, pogg
from penstock.energy.message import Said
from penstock.errors import Invalid
from penstock.journal.words import Assurance, Form

Parse = Callable[[bytes], Said]
"""Reads one message without believing it; raises Invalid with a code of its form."""


@dataclass(frozen=True, slots=True)
class FormRule:
    """How a form is read, and the best assurance level that a message in it can have."""

    parse: Parse
    assurance: Assurance


FORMS: Final[dict[int, FormRule]] = {
    Form.COSE: FormRule(cose.parse, Assurance.METER_SIGNED),
    Form.OCMF: FormRule(ocmf.parse, Assurance.METER_SIGNED),
    Form.POGG: FormRule(pogg.parse, Assurance.METER_SIGNED),
    Form.CARRIED: FormRule(carried.parse, Assurance.VENDOR_ATTESTED),
}


def parse(form: int, raw: bytes) -> Said:
    """Read one message; raises Invalid with a code of its form, or ``form.unknown``."""
    rule = FORMS.get(form)
    if rule is None:
        raise Invalid("form.unknown", "No form of message has this number.", form=form)
    return rule.parse(raw)

"""The certificate half of a purchase, over Penstock's own HTTP door: reserve for the agent, then retire, or release."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import httpx

from penstock.errors import Conflict, Refused, Unavailable
from penstock.keys.nesting import deeper_than
from penstock.period import iso

DEPTH_MAX = 64
KEY_REUSED = "journal.key_reused"


@dataclass(slots=True)
class CertificateLeg:
    """So many Wh of an account's certificates, of a zone and time, retired for ``beneficiary``. Implements `Leg`.

    ``api_key`` may act for the account: the seller gives its buyer or a broker one. ``until_us`` ends the reservation
    where nobody comes back. The door records each act once under its key, so that asking again is safe.
    """

    door: str
    api_key: str = field(repr=False)
    http: httpx.Client = field(repr=False)
    account: str
    beneficiary: str
    quantity_wh: int
    until_us: int
    reason: str = "compute"
    zone: str = ""
    start_us: int = 0
    stop_us: int = 0

    def reserve(self, key: str) -> None:
        """Hold them.

        Raises:
            Refused: ``certificates.refused`` with the door's own code. Conflict: ``certificates.other`` where it knows
            ``key`` with other terms. Unavailable: ``certificates.silent``.
        """
        self._reserved(key)

    def take(self, key: str) -> None:
        """Retire what is held. Raises as `reserve`."""
        spans = self._reserved(key)
        said = {"account": self.account, "selection": {"spans": spans}, "beneficiary": self.beneficiary}
        self._act("retire", key, said | {"reason": self.reason})

    def give_back(self, key: str) -> None:
        """Release what is held, if anything is. Raises as `reserve`, but quiet where nothing could be reserved."""
        try:
            spans = self._reserved(key)
        except Refused:
            return
        said = {"account": self.account, "selection": {"spans": spans}, "beneficiary": self.beneficiary}
        self._act("release", key, said)

    def _reserved(self, key: str) -> list[dict[str, Any]]:
        """The spans that are held under ``key``; asked again, the door tells what it told before."""
        selection: dict[str, Any] = {"quantity_wh": self.quantity_wh, "zone": self.zone}
        if self.start_us:
            selection |= {"start": iso(self.start_us), "stop": iso(self.stop_us)}
        said = {"account": self.account, "selection": selection, "beneficiary": self.beneficiary}
        done = self._act("reserve", key, said | {"until": iso(self.until_us), "reason": self.reason})
        return [
            {"register": span["register"], "start": span["start"], "stop": span["stop"]}
            for act in done["acts"]
            for span in act.get("certificates", [])
        ]

    def _act(self, verb: str, key: str, said: dict[str, Any]) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {self.api_key}", "idempotency-key": f"{key}-{verb}"}
        try:
            heard = self.http.post(f"{self.door}/certificates/{verb}", json=said, headers=headers)
            body = json.loads(heard.text) if not deeper_than(heard.text, DEPTH_MAX) else {}
        except (httpx.HTTPError, ValueError) as error:
            raise Unavailable("certificates.silent", f"The door does not answer ({type(error).__name__}).") from None
        if heard.status_code >= httpx.codes.INTERNAL_SERVER_ERROR or not isinstance(body, dict):
            raise Unavailable("certificates.silent", f"The door answered {heard.status_code}.")
        if body.get("code") == KEY_REUSED:
            hint = "Begin again with the terms it began with, the end of the reservation among them."
            raise Conflict("certificates.other", "The door knows this purchase with other terms.", hint=hint, key=key)
        if heard.status_code >= httpx.codes.BAD_REQUEST:
            why = str(body.get("message", body.get("detail", "no reason")))[:200]
            raise Refused("certificates.refused", f"The door says no: {why}", door_code=body.get("code", ""))
        return body

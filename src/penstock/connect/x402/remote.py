"""A facilitator elsewhere, over HTTP. Its address is always given: there is no default, and no redirect is followed."""

from __future__ import annotations

from typing import Final, Self, TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ValidationError
from x402.schemas import PaymentPayload, PaymentRequirements, SettleResponse, SupportedResponse, VerifyResponse

from penstock.errors import Invalid, Unavailable

TIMEOUT_S: Final = 15.0
_ANSWER_BYTES_MAX: Final = 65_536
Answer = TypeVar("Answer", bound=BaseModel)


class RemoteFacilitator:
    """The facilitator at ``url``.

    Raises:
        Invalid: ``payment.facilitator_url`` for an address that is none, or is not secret on its way.
        Unavailable: ``payment.facilitator`` (all methods) where it does not answer as one.
    """

    def __init__(self, url: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        parts = urlsplit(url)
        here = parts.hostname in ("127.0.0.1", "localhost", "::1")
        if not parts.hostname or parts.scheme not in ("http", "https") or (parts.scheme == "http" and not here):
            hint = "Give an https address, or http on this machine."
            raise Invalid("payment.facilitator_url", "This is no address of a facilitator.", hint=hint, url=url)
        self.url = url.rstrip("/")
        self._client = httpx.AsyncClient(
            timeout=TIMEOUT_S, follow_redirects=False, trust_env=False, transport=transport
        )

    async def verify(self, payload: PaymentPayload, requirements: PaymentRequirements) -> VerifyResponse:
        """Whether the payment would settle now."""
        return _read(VerifyResponse, await self._post("/verify", payload, requirements))

    async def settle(self, payload: PaymentPayload, requirements: PaymentRequirements) -> SettleResponse:
        """Settle it."""
        return _read(SettleResponse, await self._post("/settle", payload, requirements))

    def get_supported(self) -> SupportedResponse:
        """Schemes, networks, extensions, signers."""
        try:
            with httpx.Client(timeout=TIMEOUT_S, follow_redirects=False, trust_env=False) as client:
                found = client.get(self.url + "/supported")
        except httpx.HTTPError as silent:
            raise _unavailable(type(silent).__name__) from silent
        return _read(SupportedResponse, found)

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _post(self, path: str, payload: PaymentPayload, requirements: PaymentRequirements) -> httpx.Response:
        body = {
            "x402Version": 2,
            "paymentPayload": payload.model_dump(by_alias=True, exclude_none=True),
            "paymentRequirements": requirements.model_dump(by_alias=True, exclude_none=True),
        }
        try:
            return await self._client.post(self.url + path, json=body)
        except httpx.HTTPError as silent:
            raise _unavailable(type(silent).__name__) from silent


def _read(form: type[Answer], found: httpx.Response) -> Answer:
    if found.status_code != 200 or len(found.content) > _ANSWER_BYTES_MAX:
        raise _unavailable(f"status {found.status_code}")
    try:
        return form.model_validate_json(found.content)
    except ValidationError:
        raise _unavailable("its answer cannot be read") from None


def _unavailable(why: str) -> Unavailable:
    return Unavailable("payment.facilitator", f"The facilitator did not answer: {why}.", hint="Try again.")

"""The door's paths for challengers: a signed commitment, and the bodies of the rows that revealed secrets draw."""

from __future__ import annotations

import asyncio
from typing import Final

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse

from penstock.api.inference.app import read_request
from penstock.errors import Invalid
from penstock.usecases.provider.desk import Desk
from penstock.usecases.provider.reveal import Challengers, read_reveal

BODY_MAX: Final = 16_384


def add_challenges(app: FastAPI, desk: Desk, challengers: Challengers) -> FastAPI:
    """Mount both paths."""

    @app.post("/v1/challenges")
    async def commit(request: Request) -> JSONResponse:
        """Keep a commitment, before the work that it tests is reported."""
        return JSONResponse(await asyncio.to_thread(challengers.commit, await _body(request, desk)), 201)

    @app.post("/v1/disclosures")
    async def disclose(request: Request) -> JSONResponse:
        """The drawn rows' requests and answers, and no others."""
        root, secrets = read_reveal(await _body(request, desk))
        return JSONResponse((await asyncio.to_thread(challengers.reveal, root, secrets)).to_json())

    return app


async def _body(request: Request, desk: Desk) -> bytes:
    body = (await read_request(request, desk)).body
    if len(body) > BODY_MAX:
        raise Invalid("request.too_large", f"A challenge has at most {BODY_MAX:,} bytes.")
    return body

"""Paths of certificate ids on chain: what wallets and explorers read of one (ERC-1155 metadata)."""

from __future__ import annotations

import base64
from typing import Annotated, Any

from fastapi import APIRouter, Path
from markupsafe import escape

from penstock.api.forms import Form
from penstock.usecases.registry.lifted_id import lifted_id
from penstock.usecases.workspace import Workspace

Row = dict[str, Any]
IdInPath = Annotated[str, Path(max_length=64, description="64 lower-case hex digits, as a wallet puts it for `{id}`.")]


class Shared(Form):
    """What all units of an id share: everything that moves their price.

    ``commissioned`` is the month of the device, empty where it is not known; ``stored`` says it went through a storage.
    """

    certificate: str
    zone: str
    start: str
    stop: str
    technology: str
    assurance: str
    commissioned: str
    carbon_mg_per_kwh: int
    support: str
    stored: bool


class Metadata(Form):
    """A certificate id as wallets read it (ERC-1155 metadata). One unit is one Wh, so there are no decimals."""

    name: str
    description: str
    decimals: int
    image: str
    properties: Shared


def routes(workspace: Workspace) -> APIRouter:
    """The path of an id; free to whoever reaches the door, as the chain is."""
    router = APIRouter(prefix="/ids", tags=["certificates"])

    @router.get("/{id}", name="certificate_id")
    def one(id: IdInPath) -> Metadata:
        """What a certificate id on chain stands for, as ERC-1155 metadata, from what was lifted under it."""
        return metadata(workspace.read(lambda world: lifted_id(world, id)))

    return router


def metadata(row: Row) -> Metadata:
    """An id as wallets read it."""
    made = _made(row)
    stored = ", given back by a storage" if row["stored"] else ""
    said = f"Granular certificates, 1 Wh each: {made} in {row['zone']} from {row['start']} to {row['stop']}{stored}."
    return Metadata(
        name=f"{made.capitalize()}, {row['zone']}, {row['start']}",
        description=said,
        decimals=0,
        image=f"data:image/svg+xml;base64,{base64.b64encode(picture(row).encode()).decode()}",
        properties=Shared(**row),
    )


def picture(row: Row) -> str:
    """The id's picture, as SVG: what it was made of, where and when, and the id's first digits."""
    made, zone, day, hours = (escape(text) for text in (_made(row), row["zone"], row["start"][:10], _hours(row)))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 320" role="img" '
        f'aria-label="{made}, {zone}, {day}"><rect width="320" height="320" rx="28" fill="#10283b"/>'
        '<circle cx="160" cy="104" r="52" fill="none" stroke="#e9c46a" stroke-width="6"/>'
        '<g fill="#fff" text-anchor="middle" font-family="system-ui,sans-serif">'
        f'<text x="160" y="114" font-size="28" font-weight="700">Wh</text>'
        f'<text x="160" y="196" font-size="22" font-weight="700">{made}</text>'
        f'<text x="160" y="224" font-size="17" fill="#e9c46a">{zone}</text>'
        f'<text x="160" y="254" font-size="16">{day}</text><text x="160" y="276" font-size="16">{hours}</text>'
        f'<text x="160" y="302" font-size="11" fill="#9db5ad">{row["certificate"][:16]}…</text></g></svg>'
    )


def _made(row: Row) -> str:
    return str(row["technology"]).replace("_", " ") or "energy"


def _hours(row: Row) -> str:
    return f"{row['start'][11:16]} – {row['stop'][11:16]} UTC"

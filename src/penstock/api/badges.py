"""Paths of badges: what wallets and explorers read of one (ERC-721 metadata), and a page for people."""

from __future__ import annotations

import base64
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse, Response
from markupsafe import escape

from penstock.api.certificates import AS_PAGE
from penstock.api.forms import Form
from penstock.api.page import energy, environment
from penstock.api.registry_forms import CertificateRow
from penstock.api.registry_pages import COLOURS
from penstock.usecases.registry.badge_rows import badge
from penstock.usecases.trail import Trail
from penstock.usecases.workspace import Workspace

Row = dict[str, Any]
BadgeInPath = Annotated[int, Path(ge=0, lt=2**63)]


class Attribute(Form):
    """One property of a badge."""

    trait_type: str
    value: str


class Badge(Form):
    """A badge: ERC-721 metadata (name, description, image, attributes), and what it was given for."""

    name: str
    description: str
    image: str
    attributes: list[Attribute]
    badge: int
    energy_wh: int
    beneficiary: str
    purpose: str
    holder: str
    certificate: str
    at: str
    seq: int
    certificates: list[CertificateRow]


def routes(workspace: Workspace, trail: Trail) -> APIRouter:
    """The paths under ``/badges``; free to whoever reaches the door: a badge is public for good."""
    router = APIRouter(prefix="/badges", tags=["badges"])
    template = environment().get_template("badge.html")

    @router.get("/{number}", response_model=Badge, responses=AS_PAGE)
    def one(number: BadgeInPath, request: Request) -> Response | Badge:
        """One badge. With ``Accept: text/html`` a page for people."""
        row = badge(workspace, trail, number)
        if "text/html" in request.headers.get("accept", ""):
            known = {"workspace": workspace.path.resolve().name, "colours": COLOURS, "picture": picture(row)}
            return HTMLResponse(template.render(known | {"badge": row}))
        return metadata(row)

    return router


def metadata(row: Row) -> Badge:
    """A badge as wallets read it."""
    said = {
        "Energy": f"{row['energy_wh']} Wh",
        "Beneficiary": row["beneficiary"],
        "Zone": ", ".join(row["zones"]),
        "Technology": ", ".join(row["technologies"]),
        "Generated from": row["produced_from"],
        "Generated until": row["produced_to"],
    }
    kept = ("badge", "energy_wh", "beneficiary", "purpose", "holder", "certificate", "at", "seq")
    return Badge(
        name=f"Badge {row['badge']}: {energy(row['energy_wh'])}",
        description=row["purpose"],
        image=f"data:image/svg+xml;base64,{base64.b64encode(picture(row).encode()).decode()}",
        attributes=[Attribute(trait_type=name, value=value) for name, value in said.items()],
        certificates=[CertificateRow(**one) for one in row["certificates"]],
        **{name: row[name] for name in kept},
    )


def picture(row: Row) -> str:
    """The badge's picture, as SVG: its energy, its number, and what it was made of."""
    made = escape(", ".join(row["technologies"]).replace("_", " ") or "energy")
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 320" role="img" '
        f'aria-label="Badge {row["badge"]}"><rect width="320" height="320" rx="28" fill="#14312a"/>'
        '<circle cx="160" cy="132" r="84" fill="none" stroke="#e9c46a" stroke-width="6"/>'
        '<g fill="#fff" text-anchor="middle" font-family="system-ui,sans-serif">'
        f'<text x="160" y="142" font-size="30" font-weight="700">{escape(energy(row["energy_wh"]))}</text>'
        f'<text x="160" y="168" font-size="15" fill="#e9c46a">{made}</text>'
        f'<text x="160" y="262" font-size="18">Badge {row["badge"]}</text>'
        '<text x="160" y="288" font-size="13" fill="#9db5ad">retired for good</text></g></svg>'
    )

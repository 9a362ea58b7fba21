"""Pages of the registry for people: an account's portfolio, one certificate, one badge. Rendered here, no script."""

from __future__ import annotations

from typing import Any, Final

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from markupsafe import Markup, escape

from penstock.api.forms import After, Name
from penstock.api.page import environment
from penstock.api.state import following
from penstock.errors import PenstockError
from penstock.usecases.registry.portfolio import holders, portfolio
from penstock.usecases.workspace import Workspace

Row = dict[str, Any]
COLOURS: Final = {
    "held": "#2a9d5c",
    "reserved": "#e0a030",
    "lifted": "#3d7ea6",
    "claimed": "#7b5ea7",
    "retired": "#5b6770",
    "withdrawn": "#d1495b",
    "expired": "#b0a8a0",
    "exported": "#8fb8de",
}
"""A state's colour on every page."""
_WIDTH, _HEIGHT, _BASE = 960, 220, 190
_MONTHS: Final = 24
_ACCOUNTS: Final = 100


def routes(workspace: Workspace) -> APIRouter:
    """The page of an account, and who has one."""
    router = APIRouter(include_in_schema=False)
    template = environment().get_template("portfolio.html")

    @router.get("/portfolio", response_class=HTMLResponse)
    def page(account: Name = "", after: After = 0) -> str:
        return template.render(portfolio_view(workspace, account, after))

    return router


def portfolio_view(workspace: Workspace, account: str, after: int) -> Row:
    """Everything the page shows: the account asked for, or the accounts that have certificates."""
    shown: Row = {"workspace": workspace.path.resolve().name, "account": account, "colours": COLOURS}
    shown |= {"found": None, "error": "", "bars": "", "every": None, "more": None}
    if not account:
        every = workspace.read(lambda world: holders(world, after, _ACCOUNTS))
        return shown | {"every": every, "more": following(after, _ACCOUNTS, every["holders"])}
    try:
        found = portfolio(workspace, account)
    except PenstockError as refused:
        return shown | {"error": refused.message}
    return shown | {"found": found, "bars": bars(found["by_month"][-_MONTHS:])}


def certificate_page(workspace: Workspace, life: Row) -> str:
    """The page of one certificate."""
    known = {"workspace": workspace.path.resolve().name, "colours": COLOURS}
    return environment().get_template("certificate.html").render(known | {"life": life})


def bars(months: list[Row]) -> Markup:
    """An SVG of Wh by month of production, each bar cut by state."""
    most = max((one["energy_wh"] for one in months), default=0)
    if not most:
        return Markup("")
    step = _WIDTH / max(len(months), 6)
    drawn = "".join(_bar(one, at * step, step, most) for at, one in enumerate(months))
    label = f"Energy by month of production, {len(months)} months"
    return Markup(  # noqa: S704 - numbers, and text that is escaped where it is put in
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(label)}" class="bars">{drawn}</svg>'
    )


def _bar(month: Row, x: float, step: float, most: int) -> str:
    top, drawn = float(_BASE), []
    for state, energy_wh in month["by_state_wh"].items():
        height = energy_wh / most * (_BASE - 20)
        top -= height
        drawn.append(
            f'<rect x="{x + 3:.1f}" y="{top:.1f}" width="{step - 6:.1f}" height="{height:.1f}" '
            f'fill="{COLOURS[state]}"><title>{escape(month["name"])} {escape(state)}: {energy_wh:,} Wh</title></rect>'
        )
    middle = x + step / 2
    return f'{"".join(drawn)}<text x="{middle:.1f}" y="{_HEIGHT - 8}">{escape(month["name"])}</text>'

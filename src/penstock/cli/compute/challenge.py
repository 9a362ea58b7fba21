"""`penstock compute challenge`: commit to a secret, draw what it tests, do it again, judge; and what was judged."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from penstock.cli.compute.acting import draw as show_rows
from penstock.cli.show import HERE, AsJson, Workspace, emit

if TYPE_CHECKING:
    from penstock.usecases.challenge.draw import DrawnWork
    from penstock.usecases.world import World

app = typer.Typer(
    help="Challenges: whether a provider delivers what it says.", no_args_is_help=True, rich_markup_mode=None
)

Provider = Annotated[str, typer.Argument(help="The provider.")]
Secrets = Annotated[
    list[Path], typer.Option("--secret", help="A secret's file, in order of commitment; may be repeated.")
]
Work = Annotated[str, typer.Option(help="The root of the stated work, hex.")]
Rows = Annotated[int, typer.Option(min=1, help="How many rows to draw.")]


@app.command()
def commit(
    provider: Provider,
    challenger: Annotated[str, typer.Option(help="Who challenges.")],
    secret: Annotated[Path, typer.Option(help="The secret's file; made where there is none. Keep it to yourself.")],
    opens_after: Annotated[str, typer.Option(help="Tests what is stated from then on (ISO 8601 with an offset).")] = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Commit to a secret before the work it will test is stated."""
    from penstock.connect.spool import now_us
    from penstock.period import parse_iso
    from penstock.usecases.challenge.commit import commit_on
    from penstock.usecases.challenge.secret import make_secret
    from penstock.usecases.workspace import Workspace as Opened

    opens_us = parse_iso(opens_after) if opens_after else 0
    with Opened(workspace) as opened:
        made = commit_on(opened, provider, challenger, make_secret(secret), opens_us, now_us())
    said = {"provider": provider, "challenger": challenger, "commitment": made.hex(), "opens_after_us": opens_us}
    emit(said, as_json, lambda: show_rows("commitment", said))


@app.command()
def draw(
    provider: Provider,
    secret: Secrets,
    work: Work,
    rows: Rows,
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Show the rows that secrets draw of stated work; from now on the secrets are no more."""
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        found = _drawn(opened, provider, work, secret, rows)
    told = [{"row": one.row, "number": one.number, "payment_id": one.payment_id.hex()} for one in found.rows]
    emit({"seed": found.drawn.seed.hex(), "rows": told}, as_json, lambda: show_rows("rows", told))


@app.command()
def judge(
    provider: Provider,
    secret: Secrets,
    work: Work,
    rows: Rows,
    bodies: Annotated[Path, typer.Option(help="Folder of PAYMENT_ID.request and .answer, as the provider shows them.")],
    engine: Annotated[str, typer.Option(help="An OpenAI-compatible server of the judge's own that has the model.")],
    name: Annotated[str, typer.Option("--judge", help="Who judges.")],
    evidence: Annotated[Path, typer.Option(help="Where to write the evidence.")],
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Do drawn rows again elsewhere and record what was found, with its evidence beside."""
    from penstock.connect.inference.upstream import Upstream
    from penstock.connect.spool import now_us
    from penstock.usecases.challenge.disclose import from_folder
    from penstock.usecases.challenge.judge import judge_on
    from penstock.usecases.challenge.reexecute import reexecute
    from penstock.usecases.challenge.secret import read_secret
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace) as opened:
        drawn = _drawn(opened, provider, work, secret, rows)
        with Upstream(engine, drawn.drawn.work.fact.model) as server:
            found = reexecute(drawn, from_folder(bodies), server)
        evidence.write_bytes(found.to_json())
        fact = judge_on(opened, found, [read_secret(one) for one in secret], name, now_us())
    told = [{"row": one.row, "finding": one.finding.value} for one in found.found]
    said: dict[str, Any] = {"challenge": fact.challenge.value, "failed": list(fact.failed), "rows": told}
    emit(said | {"evidence": fact.evidence.hex()}, as_json, lambda: show_rows("rows", told))


@app.command("list")
def listed(
    provider: Annotated[str, typer.Option(help="Of one provider alone.")] = "",
    workspace: Workspace = HERE,
    as_json: AsJson = False,
) -> None:
    """Show what was judged, newest first."""
    from penstock.usecases.workspace import Workspace as Opened

    with Opened(workspace, read_only=True) as opened:
        found = opened.read(lambda world: _judged(world, provider))
    emit({"challenges": found}, as_json, lambda: show_rows("challenges", found))


@app.command()
def odds(
    answers: Annotated[int, typer.Option(min=1, help="Answers stated.")],
    false: Annotated[int, typer.Option(min=0, help="False ones among them.")],
    rows: Rows,
    friends: Annotated[int, typer.Option(min=0, help="Challengers who are the provider's friends.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Show how likely a lie is caught."""
    from penstock.compute.detection import missed, missed_with_friends

    chance = missed_with_friends(missed(answers, false, rows), friends)
    said = {"answers": answers, "false": false, "rows": rows, "friends": friends, "caught": 1 - chance}
    emit(said, as_json, lambda: show_rows("odds", said))


def _drawn(opened: Any, provider: str, work: str, secrets: list[Path], rows: int) -> DrawnWork:
    from penstock.connect.spool import now_us
    from penstock.usecases.challenge.draw import draw_on
    from penstock.usecases.challenge.secret import read_root, read_secret

    return draw_on(opened, provider, read_root(work), [read_secret(one) for one in secrets], rows, now_us())


def _judged(world: World, provider: str) -> list[dict[str, Any]]:
    from penstock.period import iso

    return [
        {
            "at": iso(one.at_us),
            "provider": one.fact.provider,
            "rack": one.fact.rack,
            "challenge": one.fact.challenge.value,
            "drawn": len(one.fact.rows),
            "failed": len(one.fact.failed),
            "judge": one.fact.judge,
            "evidence": one.fact.evidence.hex(),
        }
        for one in reversed(world.challenges.judged)
        if provider in ("", one.fact.provider)
    ]

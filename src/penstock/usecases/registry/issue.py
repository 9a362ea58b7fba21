"""Issue: whatever was verified and is not certified yet becomes certificates, under stated terms."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.errors import Invalid
from penstock.journal.fact import Entry
from penstock.usecases.certify import HOURLY, Terms, certify
from penstock.usecases.registry.consume import verified
from penstock.usecases.registry.desk import Done, done
from penstock.usecases.workspace import Workspace
from penstock.usecases.world import World


@dataclass(frozen=True, slots=True)
class Issue:
    """Certificates are asked for: of whatever is not certified yet, in a zone, on these terms."""

    zone: str
    terms: Terms = HOURLY
    by: str = ""


def check_issue(world: World, zone: str, by: str) -> None:
    """That certificates of a zone may be issued: the registry's operator does.

    Raises:
        Invalid: ``certificate.zone``. As `check_may`.
    """
    if not 0 < len(zone) <= 32 or not (zone.isascii() and zone.isprintable()):
        raise Invalid("certificate.zone", "A zone is named in 1 to 32 printable ASCII characters.")
    world.participants.check_may(by, "", "issue")


def issue_on(workspace: Workspace, key: str, asked: Issue, at_us: int) -> Done:
    """Record an issue under a key; the same key again tells what it did. Raises as `check_issue` and `certify`."""

    def decide(world: World) -> list[Entry]:
        check_issue(world, asked.zone, asked.by)
        return certify(world, list(verified(workspace)), asked.zone, asked.terms)

    return done(workspace, key, asked, at_us, decide)

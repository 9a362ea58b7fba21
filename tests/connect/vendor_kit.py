"""A vendor's cloud on the loopback: recorded bodies behind tokens that end, limits and revisions."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import httpx
from field_kit import START_US, Clock, MemorySink, Reply, Request

from penstock.connect.notebook import Notebook
from penstock.connect.secret import Secret
from penstock.connect.vendor_cloud import Puller, System
from penstock.connect.vendor_dialect import shipped
from penstock.connect.vendor_session import Account, Session

RECORDED = Path(__file__).parent / "recorded"
DAY_US = 86_400_000_000
EMPTY = {"intervals": b'{"intervals": [], "meta": {}}', "lifetime": b'{"data": {"readings": [], "pages": 0}}'}
BERLIN = ZoneInfo("Europe/Berlin")


def recorded(dialect: str, name: str) -> bytes:
    return (RECORDED / dialect / f"{name}.json").read_bytes()


@dataclass
class Cloud:
    """``pages`` answers a question for history: (start as asked, cursor or page) to a body; else it is empty."""

    dialect: str
    pages: dict[tuple[str, str], bytes] = field(default_factory=dict)
    token: bytes = b""
    access: str = ""
    first: list[Reply] = field(default_factory=list)  # what it answers before anything else, one by one
    asked: list[Request] = field(default_factory=list)
    refreshed: list[Request] = field(default_factory=list)

    def __call__(self, request: Request) -> Reply:
        if request.method == "POST":
            self.refreshed.append(request)
            return Reply(200, self.token) if self.token.startswith(b"{") else Reply(400, b'{"error": "invalid_grant"}')
        self.asked.append(request)
        if self.first:
            return self.first.pop(0)
        if request.headers.get("Authorization") != f"Bearer {self.access}":
            return Reply(401, b'{"message": "Not Authorized"}')
        query = {name: values[0] for name, values in parse_qs(urlsplit(request.path).query).items()}
        start = query.get("start_at") or query.get("from", "")
        body = self.pages.get((start, query.get("cursor") or query.get("page", "")))
        return Reply(200, body or EMPTY[self.dialect])


def intervals_cloud() -> Cloud:
    return Cloud(
        "intervals",
        {
            ("1780272000", ""): recorded("intervals", "2026-06-01.page-1"),
            ("1780272000", "c2Vjb25k"): recorded("intervals", "2026-06-01.page-2"),
            ("1780358400", ""): recorded("intervals", "2026-06-02"),
        },
        recorded("intervals", "token"),
        "at-0001",
    )


def lifetime_cloud() -> Cloud:
    pages = {("2026-10-25T02:00:00", n): recorded("lifetime", f"2026-10-25.page-{n}") for n in ("1", "2")}
    return Cloud("lifetime", pages, recorded("lifetime", "token"), "eyJ-sample-1")


@dataclass
class Visitor:
    """What visits the cloud: its clock, which waiting moves on, its notebook and its sink."""

    folder: Path
    clock: Clock
    sink: MemorySink = field(default_factory=MemorySink)
    paused_s: list[float] = field(default_factory=list)

    def pause(self, seconds: float) -> None:
        self.paused_s.append(seconds)
        self.clock.us += int(seconds * 1_000_000)

    def account(self, url: str, refresh: str = "rt-0001") -> Account:
        return Account("home", url, "client-7", Secret("cl:ient&secret"), Secret(refresh), Secret("key-31"))

    def visit(self, url: str, dialect: str, system: System, refresh: str = "rt-0001") -> list[str]:
        """One visit; the codes of what went wrong."""
        notebook, spoken = Notebook(self.folder / "notes.json"), shipped(dialect)
        with httpx.Client(timeout=10) as client:
            account = self.account(url, refresh)
            session = Session(account, spoken, notebook, client, self.clock, self.pause)
            puller = Puller(session, spoken, [system], notebook, self.sink, self.clock)
            return [error.code for error in puller.visit()]

    def told(self) -> dict[int, int]:
        """Positions by instant, as told last."""
        return {
            at: position
            for sample in self.sink.samples()
            for at, position in zip(sample.at_us, sample.position_wh, strict=True)
        }


ROOF = System("4417", "roof-1", START_US)
PLANT = System("PL-20931", "plant-2", 1_792_886_400_000_000, zone=BERLIN)  # 2026-10-25T00:00:00Z

"""The HTTP door: what it shows, how it refuses, and that it says nothing else."""

from __future__ import annotations

import json
import re
import socket
import sys
from collections.abc import Iterator
from http.client import HTTPConnection
from importlib import import_module
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from penstock.api.app import HEADERS, make_app
from penstock.api.glimpse import Glimpse
from penstock.api.problem import PROBLEM_JSON
from penstock.api.running import serve_in_thread
from penstock.errors import PenstockError, Unavailable
from penstock.journal.words import Right
from penstock.usecases.workspace import Workspace

sys.path.append(str(Path(__file__).resolve().parents[1] / "usecases"))
KIT: Any = import_module("attest_kit")
DEAL, ROOFS = KIT.DEAL, KIT.ROOFS
Record = Any
Answer = tuple[int, dict[str, str], bytes]


class Browser:
    """Asks one server, and keeps nothing."""

    def __init__(self, url: str) -> None:
        self._at = urlsplit(url).netloc

    def ask(self, path: str, method: str = "GET", headers: dict[str, str] | None = None) -> Answer:
        host, _, port = self._at.partition(":")
        connection = HTTPConnection(host, int(port), timeout=20)
        try:
            connection.request(method, path, headers=headers or {})
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def json(self, path: str) -> Any:
        status, headers, body = self.ask(path)
        assert (status, headers["content-type"]) == (200, "application/json"), body
        return json.loads(body)


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Record]:
    made = KIT.make_record(tmp_path_factory.mktemp("door") / "workspace", days=1)
    yield made
    made.workspace.store.close()


@pytest.fixture(scope="module")
def browser(record: Record) -> Iterator[Browser]:
    with serve_in_thread(make_app(record.workspace)) as running:
        yield Browser(running.url)


def test_health_says_what_is_not_anchored_yet(record: Record, browser: Browser) -> None:
    found = browser.json("/health")
    size = record.anchored[-1][0]
    assert (found["facts"], found["anchored_facts"], found["signed_facts"]) == (size + 2, size, size)
    assert (found["unanchored_facts"], found["law_breaches"], found["deals"]) == (2, 0, 1)
    (oldest,) = record.workspace.store.facts(size, size + 1)
    assert found["oldest_unanchored_at_us"] == oldest.at_us


def test_devices_come_in_pages(browser: Browser) -> None:
    first = browser.json("/devices?limit=3")
    rest = browser.json(f"/devices?limit=3&after={first['next_after']}")
    assert [one["device"] for one in first["devices"] + rest["devices"]] == [*ROOFS, "rack-1"]
    assert (first["total"], rest["next_after"]) == (4, None)
    assert all(type(one["read_wh"]) is int for one in first["devices"])


def test_refusals_have_their_reason(browser: Browser) -> None:
    found = browser.json("/readings/refused")
    assert found["verdicts"] == {"malformed": 1, "replayed": 1}
    assert all(one["why"] for one in found["refused"])


def test_certificates_are_all_there_page_by_page(record: Record, browser: Browser) -> None:
    seen: list[dict[str, Any]] = []
    after: int | None = 0
    while after is not None:
        page = browser.json(f"/certificates?limit=7&after={after}")
        seen, after = seen + page["certificates"], page["next_after"]
    titles = record.workspace.read(lambda world: world.books.titles[Right.ATTRIBUTE].columns())
    assert [one["start"] for one in seen] == titles["start"].tolist()
    assert sum(one["energy_wh"] for one in seen) == int((titles["stop"] - titles["start"]).sum())
    held = browser.json("/certificates?holder=operator&limit=500")["certificates"]
    assert held == [one for one in seen if one["holder"] == "operator"] != []


def test_a_deal_shows_its_terms_and_where_it_stands(browser: Browser) -> None:
    (row,) = browser.json("/deals")["deals"]
    page = browser.json(f"/deals/{DEAL}")
    assert row["deal"] == DEAL and "First Light" in page["text"]
    assert page["measures"] == ["energy [Wh]", "cfads [USDC]", "answers [tokens]"]
    assert page["balances_usdc_micro"]["collect"] > 0 == row["periods"]


def leaves(node: dict[str, Any]) -> list[str]:
    below = [leaf for child in node["children"] for leaf in leaves(child)]
    return below or [node["register"]]


def test_an_answer_is_traced_to_the_roofs(browser: Browser) -> None:
    found = browser.json("/answers/3/trace?rack=rack-1")
    assert found == browser.json("/answers/3/trace")
    assert (found["rack"], found["number"], found["back"]["unit"]) == ("rack-1", 3, "tokens")
    assert {f"{roof}/export" for roof in ROOFS} >= set(leaves(found["back"])) != set()


def test_an_answer_s_bundle_is_checked_offline(browser: Browser, tmp_path: Path) -> None:
    from penstock.usecases.prove import verify_bundle_file

    status, headers, body = browser.ask("/answers/3/bundle")
    assert (status, headers["content-disposition"]) == (200, 'attachment; filename="answer-3.json"')
    (tmp_path / "answer.json").write_bytes(body)
    report = verify_bundle_file(tmp_path / "answer.json", KIT.LOG_KEY.public.hex())
    assert (report["answer"], report["rack"]) == (3, "rack-1")


def test_the_page_stands_without_scripts_or_strangers(browser: Browser) -> None:
    status, headers, body = browser.ask("/")
    html = body.decode()
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "<script" not in html and "http://" not in html and "https://" not in html
    assert not re.search(r"\son\w+=", html)
    assert "this sequence number was already received" in html and 'href="/deals/first"' in html
    links = set(re.findall(r'href="(/[^"]*)"', html))
    assert len(links) >= 8
    assert {path: browser.ask(path)[0] for path in links} == dict.fromkeys(links, 200)


def test_the_story_is_served_once_it_is_told(record: Record, browser: Browser) -> None:
    assert browser.ask("/story")[0] == 404
    (record.path / "story.html").write_text("<!doctype html><p>told</p>")
    try:
        status, headers, body = browser.ask("/story")
        assert (status, body) == (200, b"<!doctype html><p>told</p>")
        assert headers["content-security-policy"] == HEADERS["Content-Security-Policy"]
        assert b'href="/story"' in browser.ask("/")[2]
    finally:
        (record.path / "story.html").unlink()


def test_what_people_wrote_is_never_markup(tmp_path: Path) -> None:
    from penstock.usecases import enrol

    named = "<script>alert(1)</script>"
    producer = enrol.Producer(named, b"\x09" * 32, 100, "XX", "", 1)
    with Workspace(tmp_path / "workspace") as workspace:
        workspace.submit("roof", b"", 1, lambda world: enrol.enrol_producers(world, [producer]))
        with serve_in_thread(make_app(workspace)) as running:
            html = Browser(running.url).ask("/")[2].decode()
    assert "<script" not in html and "&lt;script&gt;" in html


def test_an_empty_workspace_has_a_page_and_health(tmp_path: Path) -> None:
    with Workspace(tmp_path / "workspace") as workspace, serve_in_thread(make_app(workspace)) as running:
        browser = Browser(running.url)
        assert browser.ask("/")[0] == 200
        assert browser.json("/health") == {
            "facts": 0, "signed_facts": 0, "anchored_facts": 0, "unanchored_facts": 0,
            "oldest_unanchored_at_us": None, "law_breaches": 0, "devices": 0, "deals": 0,
        }  # fmt: skip
        assert browser.ask("/record/checkpoint")[0] == 404


def test_the_door_follows_the_writer(tmp_path: Path) -> None:
    from penstock.usecases import enrol

    with Workspace(tmp_path / "workspace") as workspace, serve_in_thread(make_app(workspace)) as running:
        browser = Browser(running.url)
        assert browser.json("/devices")["total"] == 0
        producer = enrol.Producer("roof", b"\x09" * 32, 100, "XX", "", 1)
        workspace.submit("roof", b"", 1, lambda world: enrol.enrol_producers(world, [producer]))
        assert (browser.json("/devices")["total"], browser.json("/record/facts")["size"]) == (1, 5)


BAD = [
    ("/nothing-here", 404, "api.no_path"),
    ("/record", 404, "api.no_path"),
    ("/docs", 404, "api.no_path"),
    ("/record/../../etc/passwd", 404, "api.no_path"),
    ("/static/..%2f..%2fjournal.sqlite", 404, "api.no_path"),
    ("/devices?limit=0", 400, "api.parameter"),
    ("/devices?limit=501", 400, "api.parameter"),
    ("/devices?limit=-1", 400, "api.parameter"),
    ("/devices?limit=many", 400, "api.parameter"),
    ("/devices?after=-1", 400, "api.parameter"),
    ("/devices?after=1e3", 400, "api.parameter"),
    (f"/devices?after={2**64}", 400, "api.parameter"),
    ("/devices?limit=%00", 400, "api.parameter"),
    ("/readings/refused?limit=1.5", 400, "api.parameter"),
    (f"/certificates?holder={'x' * 201}", 400, "api.parameter"),
    ("/certificates?holder=nobody", 404, "account.unknown"),
    ("/certificates?holder=%ff%fe", 404, "account.unknown"),
    ("/deals/unknown", 404, "deal.unknown"),
    ("/deals/%2e%2e", 404, "deal.unknown"),
    (f"/deals/{'x' * 201}", 400, "api.parameter"),
    ("/answers/-1/trace", 400, "api.parameter"),
    ("/answers/x/bundle", 400, "api.parameter"),
    ("/answers/999999/trace", 404, "trace.no_answer"),
    ("/answers/999999/bundle", 404, "trace.no_answer"),
    (f"/answers/payments/{'0' * 64}", 404, "trace.no_payment"),
    ("/answers/payments/0x1", 400, "api.parameter"),
    ("/answers/0/trace?rack=unknown", 404, "trace.no_rack"),
    ("/answers/0/bundle?rack=unknown", 404, "bundle.no_rack"),
    ("/record/facts?start=-1", 400, "api.parameter"),
    ("/record/facts?start=5&stop=4", 400, "publish.range"),
    ("/record/facts?start=a", 400, "api.parameter"),
    (f"/record/facts?start={2**63}", 400, "api.parameter"),
    (f"/record/segments/{'0' * 64}", 404, "publish.no_segment"),
    ("/record/segments/journal.sqlite", 400, "publish.digest"),
    ("/record/segments/..%2fjournal.sqlite", 404, "api.no_path"),
    (f"/record/segments/{'0' * 65}", 400, "api.parameter"),
    (f"/record/segments/{'A' * 64}", 400, "publish.digest"),
    ("/record/proof/inclusion", 400, "api.parameter"),
    ("/record/proof/inclusion?index=0&size=0", 400, "tree.size"),
    ("/record/proof/inclusion?index=9&size=9", 400, "tree.size"),
    ("/record/proof/inclusion?index=0&size=99999", 400, "tree.size"),
    ("/record/proof/consistency?old=9&new=8", 400, "tree.size"),
    ("/record/proof/consistency?old=0&new=99999", 400, "tree.size"),
]


def check_problem(answer: Answer, status: int, code: str) -> None:
    """One shape for every error, on the wire and in its body."""
    found, headers, body = answer
    assert (found, headers["content-type"]) == (status, PROBLEM_JSON), body
    problem = json.loads(body)
    assert problem.keys() == {"type", "title", "status", "detail", "error", "code", "message", "hint", "context"}
    assert (problem["code"], problem["status"], problem["type"]) == (code, status, f"urn:penstock:error:{code}")
    assert problem["detail"] == problem["message"] and problem["title"] == problem["error"]
    assert "Traceback" not in body.decode() and "/penstock/" not in body.decode()
    assert {name.lower(): value for name, value in HEADERS.items()}.items() <= headers.items()


@pytest.mark.parametrize(("path", "status", "code"), BAD)
def test_a_bad_request_gets_a_problem(browser: Browser, path: str, status: int, code: str) -> None:
    check_problem(browser.ask(path), status, code)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_what_is_read_is_only_read(browser: Browser, method: str) -> None:
    check_problem(browser.ask("/deals", method), 405, "api.method")


@pytest.mark.parametrize("host", ["attacker.example", "attacker.example:80", "", "127.0.0.1.attacker.example", "x:1:2"])
def test_another_host_name_is_refused(browser: Browser, host: str) -> None:
    check_problem(browser.ask("/health", headers={"Host": host}), 421, "api.host")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8400", "127.0.0.1:1", "[::1]", "[::1]:8400"])
def test_loopback_s_names_are_taken(browser: Browser, host: str) -> None:
    assert browser.ask("/health", headers={"Host": host})[0] == 200


@pytest.mark.parametrize("path", ["/", "/health", "/record/facts", "/record/checkpoint", "/openapi.json"])
def test_every_answer_is_guarded_and_not_kept(browser: Browser, path: str) -> None:
    _, headers, _ = browser.ask(path)
    assert {name.lower(): value for name, value in HEADERS.items()}.items() <= headers.items()
    assert headers["cache-control"] == "no-store" and "server" not in headers
    assert "'unsafe-inline'" not in headers["content-security-policy"].split("style-src")[0]


def test_a_segment_may_be_kept_for_good(record: Record, browser: Browser) -> None:
    digest = next(fact.segment for fact in record.workspace.store.facts() if fact.segment)
    status, headers, body = browser.ask(f"/record/segments/{digest}")
    assert (status, body) == (200, (record.path / "segments" / f"{digest}.parquet").read_bytes())
    assert "immutable" in headers["cache-control"]


def test_facts_come_a_thousand_at_most(browser: Browser) -> None:
    assert len(browser.json("/record/facts?start=0&stop=1000000")["facts"]) <= 1_000
    assert browser.json("/record/facts?start=5&stop=7")["facts"][0]["seq"] == 5
    assert browser.json("/record/facts?start=900000")["facts"] == []


def test_our_own_fault_says_nothing_of_its_inside(
    record: Record, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: Glimpse) -> int:
        raise ZeroDivisionError("/penstock/secret")

    monkeypatch.setattr(Glimpse, "breaches", broken)
    with serve_in_thread(make_app(record.workspace)) as running:
        check_problem(Browser(running.url).ask("/health"), 500, "api.fault")
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize("kind", PenstockError.__subclasses__())
def test_every_kind_of_error_keeps_its_status(
    record: Record, monkeypatch: pytest.MonkeyPatch, kind: type[PenstockError]
) -> None:
    def refusing(_: Glimpse) -> int:
        raise kind("test.code", "A sentence.", hint="A step.", id=7)

    monkeypatch.setattr(Glimpse, "breaches", refusing)
    with serve_in_thread(make_app(record.workspace)) as running:
        answer = Browser(running.url).ask("/health")
    check_problem(answer, kind.http_status, "test.code")
    assert json.loads(answer[2])["context"] == {"id": "7"}


OPEN_WRITES = {"/session"}
"""Paths that are written to without a key: whoever signs in has none yet."""


def test_the_interface_is_described(browser: Browser) -> None:
    paths = browser.json("/openapi.json")["paths"]
    assert {"/health", "/record/facts", "/record/requests", "/devices", "/certificates", "/deals/{name}"} <= set(paths)
    free = {name for name, path in paths.items() if "post" in path and "security" not in path["post"]}
    assert free == OPEN_WRITES
    for name, path in paths.items():
        for method, said in path.items():
            assert method == "get" or name in OPEN_WRITES or said["security"] == [{"ApiKey": []}], (name, method)
            assert said["summary"] and said["description"], (name, method)


def test_what_takes_a_key_says_so_before_all_else(browser: Browser) -> None:
    paths = browser.json("/openapi.json")["paths"]
    bare = re.compile(r"{[^}]*}")
    asked = [(name, method) for name, path in paths.items() for method in path if "security" in path[method]]
    assert len(asked) > 50
    for name, method in asked:
        if not bare.search(name) and method == "get" and "parameters" not in paths[name][method]:
            check_problem(browser.ask(name, "GET"), 401, "api.key_missing")


def test_every_path_is_described_in_the_docs(browser: Browser) -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "api.md").read_text()
    described = set(re.findall(r"^\| `([A-Z]+) (/[^ `?]*)", text, re.MULTILINE))
    paths = browser.json("/openapi.json")["paths"]
    pages = {("GET", page) for page in ("/", "/story", "/portfolio", "/compute")}
    assert described == {(method.upper(), name) for name, path in paths.items() for method in path} | pages


def test_a_port_that_is_taken_is_said_so(record: Record) -> None:
    with serve_in_thread(make_app(record.workspace)) as running:
        port = urlsplit(running.url).port
        assert port
        with pytest.raises(Unavailable, match="port_in_use"):
            serve_in_thread(make_app(record.workspace), port)


def test_an_answer_does_not_wait_for_the_clients_word(record: Record) -> None:
    with serve_in_thread(make_app(record.workspace)) as running:
        assert running._socket.proto == socket.IPPROTO_TCP  # asyncio goes by it when it sets TCP_NODELAY


def test_it_listens_on_loopback_only_and_stops(record: Record) -> None:
    running = serve_in_thread(make_app(record.workspace))
    assert running.url.startswith("http://127.0.0.1:")
    running.stop()
    running.stop()
    with pytest.raises(ConnectionRefusedError):
        Browser(running.url).ask("/health")

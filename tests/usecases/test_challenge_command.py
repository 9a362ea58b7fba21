"""Challenges and papers from the command line: a judge with a server of its own, a secret that never shows."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from challenge_kit import WORK_KEY, Court, Shop, lesser, texts_of
from typer.testing import CliRunner

from penstock.cli.main import app
from penstock.compute.energy_receipt import receipt_of
from penstock.errors import PenstockError
from penstock.usecases.workspace import Workspace

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "provider"))
from minilm import NAME, MiniLm


@pytest.fixture(scope="module")
def model() -> MiniLm:
    return MiniLm.load()


@pytest.fixture(scope="module")
def engine(model: MiniLm) -> Iterator[str]:
    """The judge's own server, as OpenAI's API has it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._say({"data": [{"id": NAME}]})

        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path != "/v1/embeddings":
                self.send_error(404)
                return
            vectors, used = model.embed(asked["input"])
            rows = [{"index": place, "embedding": row.astype(float).tolist()} for place, row in enumerate(vectors)]
            self._say({"data": rows, "model": NAME, "usage": {"prompt_tokens": used.prompt_tokens}})

        def _say(self, body: Any) -> None:
            raw = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def place(tmp_path: Path, model: MiniLm) -> Path:
    with Workspace(tmp_path / "court") as workspace:
        Court(workspace, model).founded()
    return tmp_path


def told(place: Path, *words: str) -> Any:
    command = ["compute", "challenge", *words, "--workspace", str(place / "court"), "--json"]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def stated(place: Path, shop: Shop, model: MiniLm) -> str:
    """The shop states its work; what it shows lies in a folder."""
    shop.serve(texts_of(8))
    with Workspace(place / "court") as workspace:
        last = list(workspace.facts())[-1].recorded.at_us
        root, _ = Court(workspace, model, now_us=last).state(shop)
    (place / "bodies").mkdir()
    for row in shop.report("rack-1", 0).rows["payment"]:
        shown = shop.disclose(row.tobytes())
        for part, raw in (("request", shown.request), ("answer", shown.answer)):
            assert raw is not None
            (place / "bodies" / f"{row.tobytes().hex()}.{part}").write_bytes(raw)
    return root.hex()


@pytest.mark.parametrize(
    ("layers", "failed"), [pytest.param(6, 0, marks=pytest.mark.nightly), (4, 3)], ids=["honest", "smaller"]
)
def test_a_challenge_from_commitment_to_judgement(
    place: Path, model: MiniLm, engine: str, layers: int, failed: int
) -> None:
    secret = place / "secret"
    made = told(place, "commit", "provider", "--challenger", "investor", "--secret", str(secret))
    assert secret.stat().st_mode & 0o777 == 0o600
    assert secret.read_text().strip() not in json.dumps(made)
    root = stated(place, Shop(lesser(layers)), model)
    where = ("provider", "--work", root, "--secret", str(secret), "--rows", "3")
    drawn = told(place, "draw", *where)
    words = ("--bodies", str(place / "bodies"), "--engine", engine, "--judge", "judge")
    found = told(place, "judge", *where, *words, "--evidence", str(place / "evidence"))
    assert [one["row"] for one in found["rows"]] == [one["row"] for one in drawn["rows"]]
    assert len(found["failed"]) == failed
    assert (place / "evidence").exists()
    (shown,) = told(place, "list", "--provider", "provider")["challenges"]
    assert (shown["drawn"], shown["failed"], shown["evidence"]) == (3, failed, found["evidence"])


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("challenge.no_secret", ("--work", "00" * 32, "--secret", "nowhere")),
        ("challenge.root", ("--work", "zz", "--secret", "good")),
        ("challenge.secret", ("--work", "00" * 32, "--secret", "bad")),
        ("challenge.no_work", ("--work", "00" * 32, "--secret", "good")),
    ],
)
def test_what_is_asked_for_wrongly_is_refused(place: Path, code: str, words: tuple[str, ...]) -> None:
    (place / "good").write_text("01" * 32)
    (place / "bad").write_text("secret")
    paths = tuple(str(place / word) if word in ("nowhere", "good", "bad") else word for word in words)
    command = ["compute", "challenge", "draw", "provider", *paths, "--rows", "1", "--workspace", str(place / "court")]
    with pytest.raises(PenstockError) as raised:
        CliRunner().invoke(app, command, catch_exceptions=False)
    assert raised.value.code == code


def test_the_odds_are_shown() -> None:
    words = ["compute", "challenge", "odds", "--answers", "10", "--false", "1", "--rows", "5", "--friends", "1"]
    done = CliRunner().invoke(app, [*words, "--json"], catch_exceptions=False)
    assert json.loads(done.stdout)["caught"] == 0
    done = CliRunner().invoke(app, [*words[:-2], "--json"], catch_exceptions=False)
    assert json.loads(done.stdout)["caught"] == pytest.approx(0.5)


def test_a_receipt_is_verified_and_a_bent_one_is_not(tmp_path: Path, model: MiniLm) -> None:
    shop = Shop(model)
    shop.serve(texts_of(3))
    paper = tmp_path / "receipt.json"
    paper.write_bytes(receipt_of(shop.report("rack-1", 0), 1, WORK_KEY).to_json())
    (tmp_path / "answer").write_bytes(shop.answers[1])
    command = ["compute", "receipt", "verify", str(paper), "--key", WORK_KEY.public.hex()]
    done = CliRunner().invoke(app, [*command, "--answer", str(tmp_path / "answer"), "--json"], catch_exceptions=False)
    assert json.loads(done.stdout)["kind"] == "energy-receipt"
    paper.write_bytes(paper.read_bytes().replace(b'"sig":"', b'"sig":"AAAA', 1))
    for words, code in ((command, "receipt.signature"), ([*command[:-1], "xy"], "receipt.key_form")):
        with pytest.raises(PenstockError) as raised:
            CliRunner().invoke(app, words, catch_exceptions=False)
        assert raised.value.code == code

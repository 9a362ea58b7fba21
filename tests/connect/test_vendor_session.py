"""Tokens refreshed in time, limits kept, secrets unseen."""

from __future__ import annotations

import json
import logging
from email.utils import formatdate
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from field_kit import START_US, Clock, Reply, Request, web_server
from vendor_kit import DAY_US, PLANT, ROOF, Cloud, Visitor, intervals_cloud, lifetime_cloud

from penstock.connect.secret import Secret, from_environment, from_file
from penstock.connect.vendor_session import BODY_MAX, Account
from penstock.errors import Invalid, NotFound, Refused, Unavailable


@pytest.fixture
def visitor(tmp_path: Path) -> Visitor:
    return Visitor(tmp_path, Clock(START_US + DAY_US // 2))


def form(request: Request) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(request.body.decode()).items()}


def test_a_refresh_token_that_rotates_is_noted_before_it_is_needed(visitor: Visitor) -> None:
    cloud = intervals_cloud()
    with web_server(cloud) as url:
        visitor.visit(url, "intervals", ROOF)
        visitor.visit(url, "intervals", ROOF)
        assert [form(request) for request in cloud.refreshed] == [
            {"grant_type": "refresh_token", "refresh_token": "rt-0001"}
        ]
        visitor.clock.us += DAY_US  # the access token has ended
        visitor.visit(url, "intervals", ROOF)
    assert form(cloud.refreshed[1])["refresh_token"] == "rt-0002"
    assert cloud.refreshed[0].headers["Authorization"] == "Basic Y2xpZW50LTc6Y2wlM0FpZW50JTI2c2VjcmV0"
    assert cloud.refreshed[0].headers["key"] == "key-31"


def test_a_client_may_prove_itself_in_the_form(visitor: Visitor) -> None:
    cloud = lifetime_cloud()
    visitor.clock.us = PLANT.since_us + DAY_US
    with web_server(cloud) as url:
        assert visitor.visit(url, "lifetime", PLANT) == []
        visitor.clock.us += DAY_US
        assert visitor.visit(url, "lifetime", PLANT) == []
    assert [form(request) for request in cloud.refreshed] == [
        {
            "grant_type": "refresh_token",
            "refresh_token": "rt-0001",
            "client_id": "client-7",
            "client_secret": "cl:ient&secret",
        }
    ] * 2
    assert "Authorization" not in cloud.refreshed[0].headers


def test_a_token_withdrawn_before_its_time_is_refreshed_once(visitor: Visitor) -> None:
    cloud = intervals_cloud()
    with web_server(cloud) as url:
        visitor.visit(url, "intervals", ROOF)
        cloud.access = "at-0002"
        cloud.token = cloud.token.replace(b"at-0001", b"at-0002")
        assert visitor.visit(url, "intervals", ROOF) == []
        assert len(cloud.refreshed) == 2
        cloud.access = "another"
        assert visitor.visit(url, "intervals", ROOF) == ["connect.not_allowed"]
    assert len(cloud.refreshed) == 3


def test_consent_that_is_lost_is_said_so_and_given_anew(visitor: Visitor) -> None:
    cloud = intervals_cloud()
    good, cloud.token = cloud.token, b"invalid_grant"
    with web_server(cloud) as url:
        with pytest.raises(Refused) as caught:
            visitor.visit(url, "intervals", ROOF)
        cloud.token = good
        visitor.visit(url, "intervals", ROOF)
        visitor.clock.us += DAY_US
        assert visitor.visit(url, "intervals", ROOF, refresh="rt-0077") == []
    assert caught.value.code == "connect.consent_lost"
    assert form(cloud.refreshed[-1])["refresh_token"] == "rt-0077"


@pytest.mark.parametrize(
    "token", [b"{}", b'{"access_token": 5}', b'{"access_token": "a", "expires_in": -1}', b'{"access_token": ""}']
)
def test_a_token_that_is_none_is_refused(token: bytes, visitor: Visitor) -> None:
    cloud = intervals_cloud()
    cloud.token = token
    with web_server(cloud) as url:
        assert visitor.visit(url, "intervals", ROOF) == ["connect.malformed"]


@pytest.mark.parametrize(
    ("header", "least_s"),
    [({"Retry-After": "42"}, 42), ({"Retry-After": formatdate(START_US / 1e6 + DAY_US / 2e6 + 120, usegmt=True)}, 100)],
    ids=["seconds", "date"],
)
def test_a_limit_is_waited_out(header: dict[str, str], least_s: float, visitor: Visitor) -> None:
    cloud = intervals_cloud()
    cloud.first = [Reply(429, headers=header)]
    with web_server(cloud) as url:
        assert visitor.visit(url, "intervals", ROOF) == []
    assert max(visitor.paused_s) >= least_s
    assert len(visitor.told()) == 47


def test_more_patience_than_a_visit_has_ends_the_visit(visitor: Visitor) -> None:
    cloud = intervals_cloud()
    cloud.first = [Reply(429, headers={"Retry-After": "86400"})]
    with web_server(cloud) as url, pytest.raises(Unavailable) as caught:
        visitor.visit(url, "intervals", ROOF)
    assert caught.value.code == "connect.rate_limited"
    assert len(cloud.asked) == 1


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_cloud_that_stumbles_is_asked_again_and_then_left(status: int, visitor: Visitor) -> None:
    cloud = intervals_cloud()
    cloud.first = [Reply(status)] * 4
    with web_server(cloud) as url:
        assert visitor.visit(url, "intervals", ROOF) == []
        cloud.first = [Reply(status, headers={"Retry-After": "soon"})] * 5
        assert visitor.visit(url, "intervals", ROOF) == ["connect.unreachable"]
    assert {1.0, 2.0, 4.0, 8.0} <= set(visitor.paused_s)


def test_requests_keep_the_dialects_pace(visitor: Visitor) -> None:
    visitor.clock.us = START_US + 3 * DAY_US
    with web_server(intervals_cloud()) as url:
        visitor.visit(url, "intervals", ROOF)
    assert visitor.paused_s == [6.0] * (len(visitor.paused_s))  # ten a minute
    assert len(visitor.paused_s) >= 3


def test_a_cloud_that_is_not_there_is_unreachable(visitor: Visitor) -> None:
    with web_server(Cloud("intervals")) as url:
        pass
    assert visitor.visit(url, "intervals", ROOF) == ["connect.unreachable"]


def test_an_answer_without_end_is_left(visitor: Visitor) -> None:
    cloud = intervals_cloud()
    cloud.first = [Reply(200, b" " * (BODY_MAX + 1))]
    with web_server(cloud) as url:
        assert visitor.visit(url, "intervals", ROOF) == ["connect.too_large"]


def test_secrets_show_nowhere(visitor: Visitor, caplog: pytest.LogCaptureFixture) -> None:
    cloud = intervals_cloud()
    with caplog.at_level(logging.DEBUG), web_server(cloud) as url:
        visitor.visit(url, "intervals", ROOF)
        cloud.token, visitor.clock.us = b"no", visitor.clock.us + DAY_US
        with pytest.raises(Refused) as caught:
            visitor.visit(url, "intervals", ROOF)
        shown = caplog.text + repr(visitor.account(url)) + json.dumps(caught.value.to_json()) + str(caught.value)
    for secret in ("cl:ient", "rt-0001", "rt-0002", "at-0001", "key-31"):
        assert secret not in shown
    assert (visitor.folder / "notes.json").stat().st_mode & 0o077 == 0


def test_tokens_travel_over_https_alone() -> None:
    with pytest.raises(Invalid) as caught:
        Account("home", "http://cloud.example", "c", Secret("s"), Secret("r"))
    assert caught.value.code == "connect.plain"
    assert Account("home", "https://cloud.example", "c", Secret("s"), Secret("r")).name == "home"


def test_a_secret_is_read_from_its_owners_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "client_secret"
    path.write_text("s3cret\n")
    path.chmod(0o600)
    assert from_file(path).text == "s3cret"
    assert "s3cret" not in f"{from_file(path)!r} {from_file(path)}"
    path.chmod(0o640)
    with pytest.raises(Invalid) as caught:
        from_file(path)
    assert caught.value.code == "connect.secret_open"
    with pytest.raises(NotFound) as missing:
        from_file(tmp_path / "none")
    assert missing.value.code == "connect.no_secret"


def test_a_secret_may_come_from_the_environment() -> None:
    assert from_environment("CLIENT_SECRET", {"CLIENT_SECRET": " s3cret "}).text == "s3cret"
    with pytest.raises(NotFound):
        from_environment("CLIENT_SECRET", {})
    for bad in ("", "two\nlines", "x" * 9_000):
        with pytest.raises(Invalid) as caught:
            from_environment("CLIENT_SECRET", {"CLIENT_SECRET": bad})
        assert caught.value.code == "connect.secret"

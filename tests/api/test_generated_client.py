"""A client made from nothing but the served description goes through a registry's day, and every answer fits its form.

Each operation becomes a function by its id: path and query parameters and headers by name, the body as it is. What it
sends and what it gets is held against the schemas that the description gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest
from member_kit import ROOF, Door, iso_of, served

from penstock.connect.spool import now_us
from penstock.period import HOUR_US

Json = dict[str, Any]


class Generated:
    """A client of one description; ``used`` are the operations it called."""

    def __init__(self, url: str, key: str, used: set[str]) -> None:
        self._http = httpx.Client(base_url=url, timeout=30, headers={"Authorization": f"Bearer {key}"} if key else {})
        self._description: Json = self._http.get("/openapi.json").json()
        self.used = used
        self.operations: dict[str, tuple[str, str, Json]] = {}
        for path, methods in self._description["paths"].items():
            for method, said in methods.items():
                assert said["operationId"] not in self.operations, "every operation has an id of its own"
                self.operations[said["operationId"]] = (method, path, said)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(body: Any = None, **given: Any) -> Any:
            return self._call(name, body, given)

        return call

    def _call(self, name: str, body: Any, given: Json) -> Any:
        method, path, said = self.operations[name]
        places: dict[str, Json] = {"path": {}, "query": {}, "header": {}}
        for parameter in said.get("parameters", []):
            known = parameter["name"].replace("-", "_").lower()
            if known in given:
                places[parameter["in"]][parameter["name"]] = self._fits(given.pop(known), parameter["schema"])
            else:
                assert not parameter.get("required"), f"{name} needs {known}"
        assert not given, f"{name} takes no {set(given)}"
        if body is not None and not isinstance(body, bytes):
            self._fits(body, said["requestBody"]["content"]["application/json"]["schema"])
        sent = {"content": body} if isinstance(body, bytes) else {"json": body}
        address = path.format_map({key: str(value) for key, value in places["path"].items()})
        answer = self._http.request(method, address, params=places["query"], headers=places["header"], **sent)
        return self._read(name, said, answer)

    def _read(self, name: str, said: Json, answer: httpx.Response) -> Any:
        form = said["responses"].get(str(answer.status_code))
        assert form is not None, f"{name} never said that it may answer {answer.status_code}"
        self.used.add(name)
        if not answer.content:
            return None
        media = answer.headers["content-type"].partition(";")[0]
        assert media in form["content"], f"{name} never said {media}"
        if not media.endswith("json"):
            return answer.text
        return self._fits(answer.json(), form["content"][media]["schema"])

    def _fits(self, value: Any, schema: Json) -> Any:
        jsonschema_rs.validate({**schema, "components": self._description["components"]}, value)
        return value


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    with served(tmp_path_factory.mktemp("generated") / "ws") as opened:
        yield opened


def names(client: Generated) -> dict[str, str]:
    """Operation ids by method and path."""
    return {f"{method.upper()} {path}": name for name, (method, path, _) in client.operations.items()}


def test_a_registrys_day_through_a_generated_client(door: Door, tmp_path: Path) -> None:
    used: set[str] = set()
    clients = {who: Generated(door.url, key, used) for who, key in door.keys.items()}
    by_path = names(clients["trader"])

    def do(who: str, operation: str, body: Any = None, **given: Any) -> Any:
        return getattr(clients[who], by_path[operation])(body, **given)

    everyone = do("trader", "GET /certificates", holder="operator", limit=5)
    first = everyone["certificates"][0]["certificate"]
    assert do("trader", "GET /certificates/{certificate}", certificate=first)["certificate"] == first
    chosen = {"quantity_wh": 40, "register": ROOF}
    moved = do(
        "trader", "POST /certificates/transfer",
        {"account": "operator", "target": "buyer", "selection": chosen}, idempotency_key="day-1",
    )  # fmt: skip
    assert moved["acts"][0]["quantity_wh"] == 40
    refused = do(
        "buyer", "POST /certificates/transfer", {"account": "operator", "target": "buyer", "selection": chosen}
    )
    assert refused["code"] == "account.not_member"
    spans = moved["acts"][0]["certificates"]
    cut = {"register": spans[0]["register"], "start": spans[0]["start"], "stop": spans[0]["stop"]}
    do("buyer", "POST /certificates/split", {"account": "buyer", "certificate": cut, "sizes_wh": [10]})
    one = {"spans": [cut | {"stop": cut["start"] + 10}]}
    do("buyer", "POST /certificates/reserve", {"account": "buyer", "selection": one, "beneficiary": "buyer"})
    do("buyer", "POST /certificates/release", {"account": "buyer", "selection": one, "beneficiary": "buyer"})
    do("buyer", "POST /certificates/retire", {"account": "buyer", "selection": one, "reason": "a day"})
    do("operator", "POST /certificates/withdraw", {"selection": {"quantity_wh": 1}, "reason": "a day"})
    sent = do("trader", "POST /certificates/export", {
        "account": "operator", "registry": "elsewhere", "selection": {"quantity_wh": 5},
    })  # fmt: skip
    file = do("trader", "GET /certificates/exports/{seq}", seq=sent["first_seq"])
    back = do(
        "operator", "POST /certificates/import", file.encode(), account="operator", registry="elsewhere",
        form="energytag",
    )  # fmt: skip
    assert back["acts"]
    member = door.ids["viewer"]
    do("operator", "PUT /organisations/{organisation}/members/{member}",
       {"roles": ["viewer", "approver"]}, organisation="maker", member=member)  # fmt: skip
    do("operator", "PUT /organisations/{organisation}/approval", {"acts": ["retire"]}, organisation="maker")
    asked = {"account": "operator", "selection": {"quantity_wh": 2}, "reason": "by two"}
    expires = iso_of(now_us() + HOUR_US)
    number = do("trader", "POST /proposals", {"retire": asked, "expires": expires})["proposal"]
    assert do("viewer", "POST /proposals/{proposal}/approve", proposal=number)["acts"]
    assert do("trader", "GET /proposals/{proposal}", proposal=number)["state"] == "executed"
    order = do("trader", "POST /orders", {
        "account": "operator", "act": "transfer", "target": "buyer", "share_basis_points": 10, "start": expires,
    })  # fmt: skip
    do("trader", "DELETE /orders/{order}", order=order["order"])
    hook = do("buyer", "POST /webhooks", {"account": "buyer", "url": "http://127.0.0.1:9/"})
    do("buyer", "DELETE /webhooks/{id}", id=hook["id"])
    trail = do("buyer", "GET /accounts/{account}/trail", account="buyer", limit=10)
    assert trail["facts"]
    account = do("buyer", "GET /accounts/{account}", account="buyer")
    bundles = do("buyer", "POST /energytag/certificate/query", {"source_id": account["number"]})
    assert sum(one["bundle_quantity"] for one in bundles["granular_certificate_bundles"]) == sum(
        account["by_state_wh"].values()
    )
    for operation in ("GET /accounts", "GET /organisations", "GET /proposals", "GET /orders", "GET /webhooks",
                      "GET /energytag/device"):  # fmt: skip
        do("trader", operation)
    assert do("trader", "GET /health")["law_breaches"] == 0
    assert len(used) >= 30


def test_every_operation_answers_in_its_form_to_whoever_has_no_key(door: Door) -> None:
    client = Generated(door.url, "", set())
    asked = [
        name
        for name, (_, path, said) in client.operations.items()
        if said.get("security") and "requestBody" not in said and "{" not in path
        and not any(one.get("required") for one in said.get("parameters", []))
    ]  # fmt: skip
    assert len(asked) >= 8
    for name in asked:
        assert getattr(client, name)()["code"] == "api.key_missing"


@pytest.mark.parametrize("url", ["/openapi.json"])
def test_the_description_names_each_operation_once(door: Door, url: str) -> None:
    paths = httpx.get(door.url + url).json()["paths"]
    ids = [said["operationId"] for path in paths.values() for said in path.values()]
    assert len(ids) == len(set(ids)) >= 80

"""Every way to damage the bundle of a certificate, or of an answer that a storage fed; docs/bundle.md lists them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import forging
from forging import Plain, copied, dump, edit_fact, edit_row, fact_of, row_fields
from small_world import LOG_KEY, ORIGIN

HOUR_US = 3_600_000_000
Edit = Callable[[Plain], bytes | None]


@dataclass(frozen=True)
class LifeDamage:
    """A damage of the bundle named ``of``: what is done, and the code that refuses it. ``sealed`` as in `damages`."""

    of: str
    name: str
    how: str
    code: str
    edit: Edit
    sealed: bool = False

    def done(self, plain: Plain) -> bytes:
        """The damaged bundle."""
        plain = copied(plain)
        self.edit(plain)
        if self.sealed:
            forging.reseal(plain, LOG_KEY, ORIGIN)
        return dump(plain)


def _seq(plain: Plain, row: str) -> str:
    return str(plain["rows"][int(row)]["fact"])


def _data(plain: Plain, seq: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(fact_of(plain, seq)["body"])["data"]
    return data


def _kind(plain: Plain, kind: str) -> str:
    return str(next(fact["seq"] for fact in plain["facts"] if f'"kind":"{kind}"' in fact["body"]))


def _move(plain: Plain, state: str, which: int = 0) -> Plain:
    """A move of the claims by the state it leads to."""
    moves = [one for one in plain["claims"]["moves"] if _data(plain, _seq(plain, one["row"]))["state"] == state]
    found: Plain = moves[which]
    return found


def _handed_on(plain: Plain) -> Plain:
    """The first move to another holder."""
    for one in plain["claims"]["moves"]:
        fields = row_fields(plain, one["row"])
        if fields["source"] != fields["target"]:
            return dict(one)
    raise LookupError("no transfer")


def _issue(plain: Plain) -> Plain:
    """The issue that a storage stands behind."""
    found: Plain = plain["claims"] if "certificate" in plain else plain["claims"]["allocate"][0]
    return found


def _piece(plain: Plain) -> Plain:
    found: Plain = _issue(plain)["stored"][0]
    return found


def _origin(plain: Plain, which: int = 0) -> Plain:
    found: Plain = _piece(plain)["claims"][which]
    return found


def _of_title(**changes: Any) -> Edit:
    return lambda plain: edit_fact(plain, _seq(plain, _issue(plain)["title"]), **changes)


def _of_origin(**changes: Any) -> Edit:
    """Changes of the issue of the first origin; a storage's own issue is another fact."""
    return lambda plain: edit_fact(plain, _seq(plain, _origin(plain)["title"]), **changes)


def _of_kind(kind: str, **changes: Any) -> Edit:
    return lambda plain: edit_fact(plain, _kind(plain, kind), **changes)


def _of_row(find: Callable[[Plain], str], **changes: int) -> Edit:
    return lambda plain: edit_row(plain, find(plain), **changes)


def _put(find: Callable[[Plain], Plain], name: str, value: object) -> Edit:
    def edit(plain: Plain) -> None:
        find(plain)[name] = value

    return edit


def _dropped(find: Callable[[Plain], list[Any]], which: int = 0) -> Edit:
    def edit(plain: Plain) -> None:
        del find(plain)[which]

    return edit


def _twice(find: Callable[[Plain], list[Any]]) -> Edit:
    return lambda plain: find(plain).insert(0, find(plain)[0])


def _added(find: Callable[[Plain], Plain], name: str, by: int) -> Edit:
    def edit(plain: Plain) -> None:
        find(plain)[name] = str(int(find(plain)[name]) + by)

    return edit


def _moves(plain: Plain) -> list[Any]:
    found: list[Any] = plain["claims"]["moves"]
    return found


def _without_transfer(plain: Plain) -> None:
    _moves(plain).remove(_handed_on(plain))


def _reordered(plain: Plain) -> None:
    moves = _moves(plain)
    moves[0], moves[1] = moves[1], moves[0]


def _retired_twice(plain: Plain) -> None:
    row = _handed_on(plain)["row"]
    edit_fact(plain, _seq(plain, row), state="retired")
    for one in _moves(plain):
        if _seq(plain, one["row"]) == _seq(plain, row):
            edit_row(plain, one["row"], state=4)


def _other_lift(plain: Plain) -> None:
    _move(plain, "lifted", 0)["lift"] = _move(plain, "lifted", 1)["lift"]


def _returned(plain: Plain) -> Plain:
    found: Plain = next(one for one in _moves(plain) if one["back"])
    return found


def _fact_left_out(kind: str) -> Edit:
    def edit(plain: Plain) -> None:
        seq = _kind(plain, kind)
        plain["facts"] = [fact for fact in plain["facts"] if fact["seq"] != seq]

    return edit


def _accounts_of_one_name(plain: Plain) -> None:
    one, other = plain["accounts"][:2]
    edit_fact(plain, one["fact"], account=_data(plain, other["fact"])["account"])


def _loss(plain: Plain) -> str:
    return str(_piece(plain)["loss"])


def _link_to_another_charge(plain: Plain) -> None:
    """Units behind the charge record, over which nothing is said."""
    charge, link = row_fields(plain, _piece(plain)["charge"]), _piece(plain)["row"]
    by = charge["stop"] - row_fields(plain, link)["source_start"]
    edit_row(plain, link, source_start=by, source_stop=by)
    edit_row(plain, _loss(plain), source_start=by, source_stop=by)


def _link(plain: Plain) -> str:
    return str(_move(plain, "claimed")["links"][0]["row"])


def _no_unit(plain: Plain) -> None:
    plain["certificate"]["stop"] = plain["certificate"]["start"]


def _link_beside_transfer(plain: Plain) -> None:
    _moves(plain)[0]["links"] = [{"row": "0", "start": "0", "stop": "1"}]


def _file(of: str, name: str, how: str, code: str, edit: Edit) -> LifeDamage:
    return LifeDamage(of, name, how, f"bundle.{code}", edit)


def _sealed(of: str, name: str, how: str, code: str, edit: Edit) -> LifeDamage:
    return LifeDamage(of, name, how, f"bundle.{code}", edit, sealed=True)


DAMAGES: tuple[LifeDamage, ...] = (
    _file("several", "no units", "a certificate that stops where it starts", "malformed", _no_unit),
    _file(
        "several",
        "other register",
        "the name of another roof's",
        "register_name",
        _put(lambda plain: plain["certificate"], "register", "roof-b/export"),
    ),
    _file(
        "several",
        "units too many",
        "one Wh behind the title",
        "title_span",
        _added(lambda plain: plain["certificate"], "stop", 1),
    ),
    _file(
        "several",
        "another title",
        "another row in its place",
        "title_missing",
        lambda plain: plain["claims"].update(title=_moves(plain)[0]["row"]),
    ),
    _sealed(
        "several",
        "title of other units",
        "it stops one Wh sooner",
        "title_span",
        _of_row(lambda plain: plain["claims"]["title"], stop=-1),
    ),
    _file("several", "no reading", "none behind the interval", "malformed", _put(lambda p: p["claims"], "after", "")),
    _file("several", "move left out", "a transfer in the middle", "move_holder", _without_transfer),
    _file("several", "moves reordered", "the second one first", "move_order", _reordered),
    _file("several", "move twice", "one listed twice", "move_order", _twice(_moves)),
    _file("several", "move hidden", "the last one not claimed", "unused", _dropped(_moves, -1)),
    _file(
        "several",
        "move understated",
        "one Wh less than it moved",
        "move_span",
        _added(lambda p: _moves(p)[0], "stop", -1),
    ),
    _sealed(
        "several",
        "move elsewhere",
        "of another register",
        "move_span",
        _of_row(lambda p: _moves(p)[0]["row"], register=1),
    ),
    _sealed(
        "several",
        "move by another",
        "from an account that held nothing",
        "move_holder",
        _of_row(lambda p: _handed_on(p)["row"], source=1),
    ),
    _sealed(
        "several",
        "move of another right",
        "energy, not the attribute",
        "move_row",
        lambda p: edit_fact(p, _seq(p, _moves(p)[0]["row"]), right="energy"),
    ),
    _sealed(
        "several",
        "move of two states",
        "row and fact differ",
        "move_row",
        _of_row(lambda p: _moves(p)[0]["row"], state=1),
    ),
    _sealed("several", "retired twice", "retired before it was retired", "move_state", _retired_twice),
    _file(
        "several",
        "beneficiary changed",
        "in a fact",
        "fact_inclusion",
        lambda p: edit_fact(p, _seq(p, _move(p, "retired")["row"]), beneficiary="the attacker"),
    ),
    _file(
        "several", "link beside a transfer", "a link of what was not claimed", "claim_missing", _link_beside_transfer
    ),
    _sealed("several", "other carbon", "than the id on chain says", "chain_id", _of_title(carbon_mg_per_kwh="1")),
    _sealed("several", "other support", "than the id on chain says", "chain_id", _of_title(support="")),
    _sealed("several", "other zone", "than the id on chain says", "chain_id", _of_title(zone="YY")),
    _sealed("several", "other assurance", "than the id on chain says", "chain_id", _of_title(assurance="declared")),
    _sealed(
        "several",
        "other id",
        "a lift under another one",
        "chain_id",
        lambda p: edit_fact(p, _seq(p, _move(p, "lifted")["lift"]), certificate="00" * 32),
    ),
    _sealed(
        "several",
        "other id back",
        "than was lifted",
        "chain_id",
        lambda p: edit_fact(p, _returned(p)["back"], certificate="00" * 32),
    ),
    _sealed(
        "several",
        "came back otherwise",
        "lowered where it was retired",
        "lift",
        lambda p: edit_fact(p, next(one for one in _moves(p) if one["back"])["back"], cause="retired"),
    ),
    _file("several", "other lift", "the batch of other units", "lift", _other_lift),
    _file(
        "several", "lift left out", "no batch beside the move", "lift", _put(lambda p: _move(p, "lifted"), "lift", "")
    ),
    _file("several", "return left out", "no fact beside the move", "lift", _put(_returned, "back", "")),
    _file("several", "account left out", "of a holder", "account_name", _dropped(lambda p: p["accounts"], -1)),
    _file(
        "several", "account number", "out of order", "account_name", _put(lambda p: p["accounts"][-1], "number", "1000")
    ),
    _sealed("several", "accounts of one name", "two holders", "account_name", _accounts_of_one_name),
    _sealed(
        "several",
        "fact of another version",
        "a move from the future",
        "fact_malformed",
        lambda p: fact_of(p, _seq(p, _moves(p)[0]["row"])).update(
            body=fact_of(p, _seq(p, _moves(p)[0]["row"]))["body"].removesuffix('"v":"2"}') + '"v":"3"}'
        ),
    ),
    _file(
        "home",
        "link left out",
        "nothing says for what",
        "claim_missing",
        _dropped(lambda p: _move(p, "claimed")["links"]),
    ),
    _sealed("home", "link of another", "of another register's units", "claim_missing", _of_row(_link, source=1)),
    _sealed("home", "link unequal", "one Wh more was drawn", "claim_missing", _of_row(_link, target_stop=1)),
    _sealed("home", "drawn nowhere", "a register that is not here", "register_name", _of_row(_link, target=100)),
    _sealed(
        "home",
        "drawn another day",
        "the claim's time",
        "hour_mismatch",
        lambda p: edit_fact(p, _seq(p, _link(p)), start_us="0", stop_us="1"),
    ),
    _file("stored", "storage left out", "no charge behind it", "stored_sum", _put(_issue, "stored", [])),
    _file("stored", "discharge short", "one Wh without a charge", "stored_sum", _added(_piece, "stop", -1)),
    _sealed(
        "stored",
        "discharge of another",
        "into another register",
        "stored_sum",
        _of_row(lambda p: _piece(p)["row"], target=1),
    ),
    _sealed(
        "stored",
        "stored unequal",
        "one Wh more charged than given",
        "stored_sum",
        _of_row(lambda p: _piece(p)["row"], source_stop=1),
    ),
    _sealed("stored", "link to another charge", "units behind the record", "record", _link_to_another_charge),
    _sealed(
        "stored",
        "record of other units",
        "one Wh less discharged",
        "record",
        _of_row(lambda p: _piece(p)["discharge"], stop=-1),
    ),
    _sealed(
        "stored",
        "record of another hour",
        "the discharge's",
        "record",
        _of_row(lambda p: _piece(p)["discharge"], interval_us=HOUR_US),
    ),
    _sealed(
        "stored",
        "record of another charge",
        "a number that cannot be",
        "record",
        _of_row(lambda p: _piece(p)["discharge"], charge=-1),
    ),
    _sealed(
        "stored",
        "charge record of other units",
        "another register",
        "record",
        _of_row(lambda p: _piece(p)["charge"], register=1),
    ),
    _file(
        "stored",
        "no charge record",
        "another row in its place",
        "record",
        lambda p: _piece(p).update(charge=_piece(p)["row"]),
    ),
    _sealed("stored", "loss understated", "two Wh less", "loss", _of_row(_loss, source_stop=-2, target_stop=-2)),
    _sealed("stored", "loss unequal", "one Wh less on one side", "loss", _of_row(_loss, target_stop=-1)),
    _sealed("stored", "loss elsewhere", "from other units", "loss", _of_row(_loss, source_start=1, source_stop=1)),
    _file("stored", "loss left out", "as if nothing was lost", "loss", _put(_piece, "loss", "")),
    _sealed("stored", "loss that is none", "into a register of another", "register_name", _of_row(_loss, target=-1)),
    _sealed(
        "stored", "sums of another", "the discharge drew more", "loss", _of_kind("storage.discharged", drawn_wh="1")
    ),
    _sealed("stored", "better storage", "a higher efficiency", "loss", _of_kind("storage.efficiency", num="95")),
    _sealed("stored", "impossible storage", "more out than in", "loss", _of_kind("storage.efficiency", num="101")),
    _sealed(
        "stored",
        "efficiency of another time",
        "it ended before",
        "fact_kind",
        _of_kind("storage.efficiency", stop_us="1"),
    ),
    _file("stored", "efficiency left out", "none is here", "fact_kind", _fact_left_out("storage.efficiency")),
    _sealed("stored", "storage of another zone", "than its title", "origin", _of_kind("storage.registered", zone="YY")),
    _sealed(
        "stored",
        "storage of other registers",
        "charged elsewhere",
        "register_name",
        _of_kind("storage.registered", charge_register="x"),
    ),
    _sealed(
        "stored",
        "operator of another",
        "who claimed nothing",
        "claim_missing",
        _of_kind("storage.registered", operator="buyer"),
    ),
    _file(
        "stored", "certificates left out", "of the charge, one", "stored_sum", _dropped(lambda p: _piece(p)["claims"])
    ),
    _file("stored", "certificate twice", "of the charge, one", "stored_sum", _twice(lambda p: _piece(p)["claims"])),
    _sealed(
        "stored",
        "certificates for another",
        "a link to another register",
        "stored_sum",
        _of_row(lambda p: _origin(p)["row"], target=1),
    ),
    _sealed(
        "stored",
        "claim for another",
        "its purpose",
        "claim_missing",
        lambda p: edit_fact(p, _seq(p, _origin(p)["claim"]), purpose="charge of another"),
    ),
    _sealed(
        "stored",
        "origin of another interval",
        "an hour later",
        "hour_mismatch",
        _of_row(lambda p: _origin(p)["title"], interval_us=HOUR_US),
    ),
    _sealed(
        "stored",
        "charge of another interval",
        "an hour later",
        "hour_mismatch",
        _of_row(lambda p: _piece(p)["charge"], interval_us=HOUR_US),
    ),
    _sealed(
        "stored",
        "charge after discharge",
        "a day later",
        "hour_mismatch",
        _of_row(lambda p: _piece(p)["charge"], interval_us=24 * HOUR_US),
    ),
    _sealed(
        "stored",
        "charge not metered",
        "more than the meter counted",
        "meter_span",
        _of_row(lambda p: _piece(p)["charge"], stop=10**6),
    ),
    _sealed(
        "stored",
        "charge weaker",
        "gateway signed, under a better title",
        "assurance",
        _of_row(lambda p: _piece(p)["charge"], assurance=1),
    ),
    _sealed("stored", "origin of another kind", "wind behind the sun", "origin", _of_origin(technology="wind")),
    _sealed("stored", "origin of other carbon", "than the title says", "origin", _of_origin(carbon_mg_per_kwh="1")),
    _sealed("stored", "origin weaker", "than the title says", "origin", _of_origin(assurance="gateway_signed")),
    _sealed("stored", "not stored", "a title that hides the storage", "origin", _of_title(stored=False)),
    _file("bare", "withdrawal hidden", "of what has no origin", "origin", _dropped(_moves, -1)),
    _file("answer", "origin left out", "of an answer in the evening", "stored_sum", _put(_issue, "stored", [])),
    _sealed(
        "answer",
        "loss understated again",
        "two Wh less, behind an answer",
        "loss",
        _of_row(_loss, source_stop=-2, target_stop=-2),
    ),
    _sealed("imported", "declared as metered", "another registry's", "foreign", _of_title(assurance="meter_signed")),
    _sealed(
        "imported",
        "foreign units",
        "one fewer than the title",
        "foreign",
        _of_row(lambda p: p["claims"]["foreign"], stop=-1),
    ),
    _file(
        "imported",
        "registry left out",
        "nothing behind the title",
        "malformed",
        _put(lambda p: p["claims"], "foreign", ""),
    ),
)

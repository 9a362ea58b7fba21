"""Every way to damage a bundle that is tried, each with the one code that must refuse it; docs/bundle.md lists them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import cbor2
import forging
from forging import Plain, copied, dump, edit_fact, edit_row, fact_of, packet_in, put_packet, row_fields
from small_world import LOG_KEY, ORIGIN, key_of

from penstock.energy.forms.cose import sign
from penstock.journal import checkpoint
from penstock.keys import SigningKey, derive_seed
from penstock.units import MJ_PER_WH

HOUR_US = 3_600_000_000
ATTACKER = SigningKey(derive_seed(b"attacker", "key"))
Edit = Callable[[Plain], bytes | None]


@dataclass(frozen=True)
class Damage:
    """A damage: what is done, and the code that refuses it.

    ``edit`` changes the loaded bundle, or returns bytes to take in its place. ``sealed``: afterwards the log's
    operator seals, proves and signs everything anew, so that only the meaning is wrong. ``pinned``: the verifier is
    given the log's key.
    """

    name: str
    how: str
    code: str
    edit: Edit
    sealed: bool = False
    pinned: bool = False

    def done(self, plain: Plain) -> bytes:
        """The damaged bundle."""
        plain = copied(plain)
        raw = self.edit(plain)
        if self.sealed:
            forging.reseal(plain, LOG_KEY, ORIGIN)
        return dump(plain) if raw is None else raw


def _claim(plain: Plain, name: str) -> str:
    return str(plain["claims"][name])


def _roof(plain: Plain, name: str, which: int = -1) -> str:
    return str(plain["claims"]["allocate"][which][name])


def _reading(plain: Plain, side: str, what: str) -> str:
    return str(plain["readings"][int(_roof(plain, side))][what])


def _seq(plain: Plain, row: str) -> str:
    return str(plain["rows"][int(row)]["fact"])


def _kind(plain: Plain, kind: str) -> str:
    return str(next(fact["seq"] for fact in plain["facts"] if f'"kind":"{kind}"' in fact["body"]))


# --- the file ---


def _number_for_string(plain: Plain) -> None:
    plain["answer"]["tokens"] = int(plain["answer"]["tokens"])


def _extra_key(plain: Plain) -> None:
    plain["claims"]["note"] = "trust me"


def _missing_key(plain: Plain) -> None:
    del plain["claims"]["meter"]


def _key_twice(plain: Plain) -> bytes:
    return dump(plain).replace(b',"answer":', b',"format":"penstock.bundle/1","answer":', 1)


def _cut_short(plain: Plain) -> bytes:
    raw = dump(plain)
    return raw[: len(raw) // 2]


def _leading_zero(plain: Plain) -> None:
    plain["answer"]["energy_mj"] = "0" + plain["answer"]["energy_mj"]


def _upper_case(plain: Plain) -> None:
    plain["rows"][0]["row"] = plain["rows"][0]["row"].upper()


def _other_version(plain: Plain) -> None:
    plain["format"] = "penstock.bundle/5"


def _dangling(plain: Plain) -> None:
    plain["readings"] = plain["readings"][:1]


def _fact_twice(plain: Plain) -> None:
    plain["facts"].append(plain["facts"][-1])


# --- the checkpoint ---


def _size_rewritten(plain: Plain) -> None:
    origin, size, rest = plain["checkpoint"].split("\n", 2)
    plain["checkpoint"] = "\n".join([origin, str(int(size) + 1), rest])


def _other_checkpoint(plain: Plain) -> None:
    signed = checkpoint.parse(plain["checkpoint"])[0]
    plain["checkpoint"] = checkpoint.sign(replace(signed, size=signed.size - 1), ORIGIN, LOG_KEY)


def _checkpoint_by_attacker(plain: Plain) -> None:
    signed = checkpoint.parse(plain["checkpoint"])[0]
    plain["checkpoint"] = checkpoint.sign(signed, ORIGIN, ATTACKER)


def _checkpoint_cut(plain: Plain) -> None:
    plain["checkpoint"] = plain["checkpoint"].rpartition("\n\n")[0]


def _log_key_in_fact(plain: Plain) -> None:
    edit_fact(plain, "0", log_key=ATTACKER.public.hex())


def _log_replaced(plain: Plain) -> bytes:
    _log_key_in_fact(plain)
    return dump(forging.reseal(plain, ATTACKER, ORIGIN))


def _other_origin(plain: Plain) -> bytes:
    return dump(forging.reseal(plain, LOG_KEY, "other.example/journal"))


# --- facts and rows ---


def _fact_altered(plain: Plain) -> None:
    seq = _seq(plain, _roof(plain, "title"))
    edit_fact(plain, seq, quantity="1")


def _fact_proof_of_another(plain: Plain) -> None:
    plain["facts"][-1]["proof"] = plain["facts"][-2]["proof"]


def _fact_moved(plain: Plain) -> None:
    plain["facts"][-1]["seq"] = str(int(plain["facts"][-1]["seq"]) + 1)


def _row_altered(plain: Plain) -> None:
    edit_row(plain, _claim(plain, "request"), tokens=1)


def _rows_swapped(plain: Plain) -> None:
    one, other = (plain["rows"][int(plain["claims"][name][0]["row"])] for name in ("convert", "allocate"))
    one["row"], other["row"] = other["row"], one["row"]


def _row_proof_of_another(plain: Plain) -> None:
    one, other = (plain["rows"][int(_roof(plain, "title", which))] for which in (0, -1))
    one["proof"] = other["proof"]


def _row_beyond(plain: Plain) -> None:
    plain["rows"][int(_claim(plain, "serve"))]["index"] = "1000"


def _row_short(plain: Plain) -> None:
    row = plain["rows"][int(_claim(plain, "work"))]
    row["row"] = row["row"][:-2]


def _fact_zero_of_another_kind(plain: Plain) -> None:
    fact = fact_of(plain, "0")
    fact["body"] = fact["body"].replace("workspace.opened", "site.registered")


def _no_fact_zero(plain: Plain) -> None:
    plain["facts"] = plain["facts"][1:]


def _fact_not_canonical(plain: Plain) -> None:
    fact = fact_of(plain, _kind(plain, "rack.registered"))
    fact["body"] = fact["body"].replace('":"', '": "', 1)


def _rack_left_out(plain: Plain) -> None:
    seq = _kind(plain, "rack.registered")
    plain["facts"] = [fact for fact in plain["facts"] if fact["seq"] != seq]


# --- readings ---


def _reading_repacked(plain: Plain) -> None:
    edit_row(plain, _reading(plain, "after", "reading"), position_wh=10)


def _reading_of_other_packet(plain: Plain) -> None:
    edit_row(plain, _reading(plain, "after", "reading"), packet=1)


def _reading_refused(plain: Plain) -> None:
    edit_row(plain, _reading(plain, "after", "reading"), verdict=2)


def _reading_weaker(plain: Plain) -> None:
    edit_row(plain, _reading(plain, "after", "reading"), assurance=1)


def _device_weaker(plain: Plain) -> None:
    number = str(row_fields(plain, _reading(plain, "after", "packet"))["device"])
    seq = next(item["fact"] for item in plain["devices"] if item["number"] == number)
    edit_fact(plain, seq, assurance="gateway_signed")


def _level_unknown(plain: Plain) -> None:
    edit_fact(plain, _seq(plain, _roof(plain, "title")), assurance="certain")


def _form_unknown(plain: Plain) -> None:
    edit_row(plain, _reading(plain, "after", "packet"), form=9)


def _form_of_another(plain: Plain) -> None:
    edit_row(plain, _reading(plain, "after", "packet"), form=3)


def _packet_refused(plain: Plain) -> None:
    edit_row(plain, _reading(plain, "after", "packet"), verdict=4)


def _packet_altered(plain: Plain) -> None:
    number = _reading(plain, "after", "packet")
    packet = packet_in(plain, number)
    raw = sign(packet, key_of(packet.device))
    edit_row(plain, _reading(plain, "after", "reading"), position_wh=10)
    higher = replace(packet, position_wh=(*packet.position_wh[:-1], packet.position_wh[-1] + 10))
    forged = sign(higher, key_of(packet.device))
    put_packet(plain, number, forged[:-64] + raw[-64:])  # the payload of one, the signature of the other


def _packet_by_another(plain: Plain) -> None:
    number = _reading(plain, "after", "packet")
    put_packet(plain, number, sign(packet_in(plain, number), key_of("rack-1")))


def _packet_of_another(plain: Plain) -> None:
    number = _reading(plain, "after", "packet")
    put_packet(plain, number, sign(replace(packet_in(plain, number), device="roof-a"), key_of("roof-a")))


def _packet_garbled(plain: Plain) -> None:
    put_packet(plain, _reading(plain, "after", "packet"), b"\x9f" * 40)


def _sequence_altered(plain: Plain) -> None:
    edit_row(plain, _reading(plain, "after", "packet"), sequence=1)


def _chain_broken(plain: Plain) -> None:
    number = _reading(plain, "after", "packet")
    packet = replace(packet_in(plain, number), previous=b"\x01" * 32)
    put_packet(plain, number, sign(packet, key_of(packet.device)))


def _readings_exchanged(plain: Plain) -> None:
    roof = plain["claims"]["allocate"][-1]
    roof["before"], roof["after"] = roof["after"], roof["before"]


def _reading_left_out(plain: Plain) -> None:
    plain["claims"]["allocate"][-1]["before"] = ""


def _meter_lower(plain: Plain) -> None:
    meter = plain["readings"][int(plain["claims"]["meter"]["after"])]
    packet = packet_in(plain, meter["packet"])
    lower = row_fields(plain, plain["claims"]["allocate"][-1]["row"])["target_start"]
    edit_row(plain, meter["reading"], position_wh=lower - packet.position_wh[-1])
    put_packet(plain, meter["packet"], sign(replace(packet, position_wh=(lower,)), key_of("rack-1")))


def _device_number(plain: Plain) -> None:
    plain["devices"][-1]["number"] = "1000"


def _register_renamed(plain: Plain) -> None:
    number = str(row_fields(plain, _claim(plain, "work"))["source"])
    seq = next(item["fact"] for item in plain["registers"] if item["number"] == number)
    edit_fact(plain, seq, register="rack-2/energy")


def _register_unit(plain: Plain) -> None:
    number = str(row_fields(plain, _claim(plain, "serve"))["target"])
    seq = next(item["fact"] for item in plain["registers"] if item["number"] == number)
    edit_fact(plain, seq, unit="Wh")


def _register_number(plain: Plain) -> None:
    plain["registers"][-1]["number"] = "1000"


# --- titles, claims, allocation ---


def _title_is_no_title(plain: Plain) -> None:
    plain["claims"]["allocate"][-1]["title"] = _roof(plain, "claim")


def _title_longer(plain: Plain) -> None:
    edit_row(plain, _roof(plain, "title"), stop=1)


def _title_of_other_roof(plain: Plain) -> None:
    edit_row(plain, _roof(plain, "title"), register=1)


def _title_of_other_right(plain: Plain) -> None:
    edit_fact(plain, _seq(plain, _roof(plain, "title")), right="energy")


def _hour_shifted(plain: Plain) -> None:
    edit_row(plain, _roof(plain, "title"), interval_us=HOUR_US)


def _interval_of_two_hours(plain: Plain) -> None:
    """Every title, and every meter, speaks of two hours."""
    edit_fact(plain, _seq(plain, _roof(plain, "title")), interval_us=str(2 * HOUR_US))
    ends = {plain["claims"]["meter"]["after"], *(roof["after"] for roof in plain["claims"]["allocate"])}
    for reading in (plain["readings"][int(number)] for number in ends):
        packet = packet_in(plain, reading["packet"])
        later = replace(packet, at_us=(*packet.at_us[:-1], packet.at_us[-1] + HOUR_US))
        put_packet(plain, reading["packet"], sign(later, key_of(packet.device)))
        edit_row(plain, reading["reading"], at_us=HOUR_US)


def _claim_is_no_claim(plain: Plain) -> None:
    plain["claims"]["allocate"][-1]["claim"] = _roof(plain, "title")


def _claim_for_other_rack(plain: Plain) -> None:
    edit_fact(plain, _seq(plain, _roof(plain, "claim")), purpose="consumption of rack-2")


def _claim_still_held(plain: Plain) -> None:
    edit_row(plain, _roof(plain, "claim"), state=-3)


def _claim_too_short(plain: Plain) -> None:
    fields = row_fields(plain, _roof(plain, "claim"))
    edit_row(plain, _roof(plain, "claim"), stop=fields["start"] + 1 - fields["stop"])


def _roof_left_out(plain: Plain) -> None:
    plain["claims"]["allocate"].pop()


def _roof_twice(plain: Plain) -> None:
    plain["claims"]["allocate"].append(plain["claims"]["allocate"][-1])


def _wh_given_twice(plain: Plain) -> None:
    first, last = (row_fields(plain, _roof(plain, "row", which)) for which in (0, -1))
    used = [int(_roof(plain, "start", which)) - row["target_start"] for which, row in ((0, first), (-1, last))]
    start = first["source_start"] + used[0] - used[1] - last["source_start"]
    other = first["source"] - last["source"]
    edit_row(plain, _roof(plain, "row"), source=other, source_start=start, source_stop=start)


def _allocation_unequal(plain: Plain) -> None:
    edit_row(plain, _roof(plain, "row"), source_stop=1)


def _allocation_shifted(plain: Plain) -> None:
    plain["claims"]["allocate"][0]["start"] = str(int(plain["claims"]["allocate"][0]["start"]) + 1)


# --- conversion, work, answer, money ---


def _conversion_shifted(plain: Plain) -> None:
    edit_row(plain, plain["claims"]["convert"][0]["row"], source_start=1, source_stop=1)


def _conversion_part(plain: Plain) -> None:
    plain["claims"]["convert"][0]["stop"] = str(int(plain["claims"]["convert"][0]["stop"]) - 1)


def _work_shifted(plain: Plain) -> None:
    edit_row(plain, _claim(plain, "work"), target_start=1)


def _serve_longer(plain: Plain) -> None:
    edit_row(plain, _claim(plain, "serve"), target_stop=1)


def _serve_of_neighbour(plain: Plain) -> None:
    row = plain["rows"][int(_claim(plain, "serve"))]
    row["index"] = str(int(row["index"]) + 1)


def _energy_off_by_one(plain: Plain) -> None:
    plain["answer"]["energy_mj"] = str(int(plain["answer"]["energy_mj"]) + 1)


def _other_answer(plain: Plain) -> None:
    plain["answer"]["number"] = str(int(plain["answer"]["number"]) + 1)


def _other_rack(plain: Plain) -> None:
    plain["answer"]["rack"] = "rack-2"


def _bill_off_by_one(plain: Plain) -> None:
    edit_row(plain, _claim(plain, "bill"), target_stop=1)


def _price_changed(plain: Plain) -> None:
    edit_fact(plain, _kind(plain, "credits.offered"), price_usdc_micro="2601")


def _payment_unequal(plain: Plain) -> None:
    edit_row(plain, plain["claims"]["pay"][0]["row"], target_stop=-1)


def _payment_from_nowhere(plain: Plain) -> None:
    plain["claims"]["pay"] = plain["claims"]["pay"][1:]


def _payment_hidden(plain: Plain) -> None:
    plain["claims"]["pay"].pop()


def _payment_understated(plain: Plain) -> None:
    part = plain["claims"]["pay"][-1]
    part["stop"] = str(int(part["stop"]) - 1)


def _payment_short(plain: Plain) -> None:
    part = plain["claims"]["pay"][0]
    gone = row_fields(plain, part["row"])["source_stop"] - int(part["stop"]) + 1
    edit_row(plain, part["row"], source_stop=-gone, target_stop=-gone)


def _paid_twice(plain: Plain) -> None:
    plain["claims"]["pay"].append(plain["claims"]["pay"][-1])


def _collected_more(plain: Plain) -> None:
    plain["answer"]["collected_usdc_micro"] = str(int(plain["answer"]["collected_usdc_micro"]) + 1)


# --- forms and references that lead nowhere ---


def _put(*path: str | int, value: object) -> Edit:
    """Another value somewhere in the file."""

    def edit(plain: Plain) -> None:
        inner: Any = plain
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = value

    return edit


def _surrogate(plain: Plain) -> bytes:
    return dump(plain).replace(b'"rack":"rack-1"', b'"rack":"\\ud800"')


def _odd_hex(plain: Plain) -> None:
    plain["rows"][0]["row"] = plain["rows"][0]["row"][:-1]


def _short_hash(plain: Plain) -> None:
    plain["rows"][0]["proof"][0] = plain["rows"][0]["proof"][0][:-2]


def _row_twice(plain: Plain) -> None:
    plain["rows"].append(plain["rows"][0])


def _register_is_none(plain: Plain) -> None:
    plain["registers"][-1]["fact"] = plain["facts"][-1]["seq"]


def _device_is_none(plain: Plain) -> None:
    plain["devices"][-1]["fact"] = str(int(plain["devices"][-1]["fact"]) + 1)


def _register_left_out(plain: Plain) -> None:
    plain["registers"].pop()


def _device_left_out(plain: Plain) -> None:
    plain["devices"].pop()


def _fact_too_many(plain: Plain) -> None:
    known = [int(fact["seq"]) for fact in plain["facts"]]
    free = next(seq for seq in range(max(known)) if seq not in known)
    body = dump({"at_us": "0", "data": {"site": "roof-z"}, "kind": "site.registered", "v": "1"}).decode()
    plain["facts"].append({"seq": str(free), "body": body, "proof": []})
    plain["facts"].sort(key=lambda fact: int(fact["seq"]))


def _fact_version(plain: Plain) -> None:
    fact = fact_of(plain, _kind(plain, "rack.registered"))
    fact["body"] = fact["body"].removesuffix('"v":"2"}') + '"v":"3"}'


def _fact_without_data(plain: Plain) -> None:
    fact = fact_of(plain, _kind(plain, "rack.registered"))
    fact["body"] = dump({**json.loads(fact["body"]), "data": []}).decode()


def _fact_says_nothing(plain: Plain) -> None:
    edit_fact(plain, _kind(plain, "rack.registered"), token_register=None)


def _rows_of_another_format(plain: Plain) -> None:
    seq = _seq(plain, _claim(plain, "work"))
    segment = json.loads(fact_of(plain, seq)["body"])["data"]["segment"]
    edit_fact(plain, seq, segment={**segment, "format": "step/1"})


def _row_with_tail(plain: Plain) -> None:
    plain["rows"][int(_claim(plain, "work"))]["row"] += "00"


def _note_without_newline(plain: Plain) -> None:
    plain["checkpoint"] = plain["checkpoint"][:-1]


def _note_of_two_lines(plain: Plain) -> None:
    text, _, tail = plain["checkpoint"].partition("\n\n")
    plain["checkpoint"] = "\n".join(text.split("\n")[:2]) + "\n\n" + tail


def _note_without_root(plain: Plain) -> None:
    origin, size, rest = plain["checkpoint"].split("\n", 2)
    plain["checkpoint"] = "\n".join([origin, size, "?" + rest])


# --- packets of another form ---


def _message(change: Callable[[list[Any]], object]) -> Edit:
    """The packet after the hour as a COSE message, changed."""

    def edit(plain: Plain) -> None:
        number = _reading(plain, "after", "packet")
        message = cbor2.loads(sign(packet_in(plain, number), key_of(packet_in(plain, number).device))).value
        changed = change(list(message))
        put_packet(plain, number, changed if isinstance(changed, bytes) else cbor2.dumps(changed, canonical=True))

    return edit


def _tagged(message: list[Any]) -> bytes:
    return cbor2.dumps(cbor2.CBORTag(18, message), canonical=True)


def _instant_twice(plain: Plain) -> None:
    number = _reading(plain, "after", "packet")
    packet = packet_in(plain, number)
    twice = replace(packet, at_us=(*packet.at_us, packet.at_us[-1]), position_wh=(0, *packet.position_wh))
    put_packet(plain, number, sign(twice, key_of(packet.device)))


def _packets_of_another_command(plain: Plain) -> bytes:
    edit_fact(plain, _seq(plain, _reading(plain, "after", "reading")), packets_root="00" * 32)
    return dump(forging.reseal(plain, LOG_KEY, ORIGIN, roots_kept=True))


def _reading_of_other_register(plain: Plain) -> None:
    edit_row(plain, _reading(plain, "after", "reading"), register=1)


# --- more of what rows can say wrong ---


def _opened(plain: Plain, number: int) -> str:
    return str(next(item["fact"] for item in plain["registers"] if item["number"] == str(number)))


def _two_of_one_name(plain: Plain) -> None:
    one, other = (row_fields(plain, item["row"])["target"] for item in plain["claims"]["pay"][:2])
    name = json.loads(fact_of(plain, _opened(plain, other))["body"])["data"]["register"]
    edit_fact(plain, _opened(plain, one), register=name)


def _billed_by_no_class(plain: Plain) -> None:
    edit_fact(plain, _opened(plain, row_fields(plain, _claim(plain, "bill"))["target"]), register="answers")


def _serve_of_another_row(plain: Plain) -> None:
    _serve_of_neighbour(plain)


def _time_longer(plain: Plain) -> None:
    edit_row(plain, _claim(plain, "request"), time_ms=1)


def _work_without_energy(plain: Plain) -> None:
    fields = row_fields(plain, _claim(plain, "work"))
    edit_row(plain, _claim(plain, "work"), source_stop=fields["source_start"] - fields["source_stop"])


def _conversion_short(plain: Plain) -> None:
    row, part = plain["claims"]["convert"][0]["row"], plain["claims"]["convert"][0]
    fields, stop_wh = row_fields(plain, row), int(part["start"]) // MJ_PER_WH + 1
    stop_mj = stop_wh * MJ_PER_WH
    edit_row(plain, row, source_stop=stop_wh - fields["source_stop"], target_stop=stop_mj - fields["target_stop"])


def _conversion_elsewhere(plain: Plain) -> None:
    edit_row(plain, plain["claims"]["convert"][0]["row"], target=1)


def _allocation_beyond(plain: Plain) -> None:
    first, last = plain["claims"]["allocate"]
    first["stop"] = last["start"] = str(int(last["start"]) + 1)


def _claim_of_other_register(plain: Plain) -> None:
    edit_row(plain, _roof(plain, "claim"), register=1)


def _bill_of_other_tokens(plain: Plain) -> None:
    edit_row(plain, _claim(plain, "bill"), source_start=1_000, target_start=2_600)


_file = Damage
_sealed = partial(Damage, sealed=True)

DAMAGES: tuple[Damage, ...] = (
    _file("number for string", "an amount is a JSON number", "bundle.malformed", _number_for_string),
    _file("extra key", "a key that no bundle has", "bundle.malformed", _extra_key),
    _file("missing key", "a key left out", "bundle.malformed", _missing_key),
    _file("key twice", "one key stands twice", "bundle.malformed", _key_twice),
    _file("cut short", "half of the file", "bundle.malformed", _cut_short),
    _file("leading zero", "an amount not in its shortest form", "bundle.malformed", _leading_zero),
    _file("upper case", "hex in capitals", "bundle.malformed", _upper_case),
    _file("dangling", "readings left out that claims name", "bundle.malformed", _dangling),
    _file("fact twice", "a fact stands twice", "bundle.malformed", _fact_twice),
    _file("other version", "a format from the future", "bundle.version", _other_version),
    _file("size rewritten", "the checkpoint's size in the signed text", "bundle.checkpoint_signature", _size_rewritten),
    _file("other checkpoint", "honestly signed, of another size", "bundle.fact_inclusion", _other_checkpoint),
    _file("checkpoint by attacker", "another key's signature", "bundle.checkpoint_signature", _checkpoint_by_attacker),
    _file("checkpoint cut", "without signature lines", "bundle.checkpoint_malformed", _checkpoint_cut),
    _file("log key in fact 0", "another key in fact 0 alone", "bundle.checkpoint_signature", _log_key_in_fact),
    _file(
        "log replaced", "all signed anew by another key; yours is pinned", "bundle.log_key", _log_replaced, pinned=True
    ),
    _file("other origin", "the checkpoint of another log by the same key", "bundle.log_key", _other_origin),
    _file("no fact 0", "the fact that names the log's key left out", "bundle.fact_kind", _no_fact_zero),
    _file("fact 0 of another kind", "it opens no workspace", "bundle.fact_kind", _fact_zero_of_another_kind),
    _file("rack left out", "the fact that registers the rack left out", "bundle.fact_kind", _rack_left_out),
    _file("fact altered", "a quantity in a fact", "bundle.fact_inclusion", _fact_altered),
    _file(
        "proof of another fact", "a fact with its neighbour's proof", "bundle.fact_inclusion", _fact_proof_of_another
    ),
    _file("fact moved", "a fact at another place", "bundle.fact_inclusion", _fact_moved),
    _sealed("fact not canonical", "a space in a sealed fact", "bundle.fact_malformed", _fact_not_canonical),
    _file("row altered", "one token more in a row", "bundle.row_inclusion", _row_altered),
    _file("rows swapped", "rows of two segments exchanged", "bundle.row_inclusion", _rows_swapped),
    _file("proof of another row", "a row with another's proof", "bundle.row_inclusion", _row_proof_of_another),
    _file("row of a neighbour", "a row at its neighbour's index", "bundle.row_inclusion", _serve_of_neighbour),
    _file("row beyond", "an index behind the segment's last row", "bundle.segment_count", _row_beyond),
    _file("row short", "a row without its last byte", "bundle.row_malformed", _row_short),
    _sealed("reading repacked", "a reading 10 Wh higher, sealed again", "bundle.reading_mismatch", _reading_repacked),
    _sealed("reading of another packet", "its packet's index", "bundle.reading_mismatch", _reading_of_other_packet),
    _sealed("reading refused", "a refused reading counts", "bundle.reading_refused", _reading_refused),
    _sealed(
        "reading weaker", "gateway signed, under a title that says meter signed", "bundle.assurance", _reading_weaker
    ),
    _sealed("device weaker", "a gateway's key, its reading called meter signed", "bundle.assurance", _device_weaker),
    _sealed("level unknown", "a title of a level that is none", "bundle.assurance", _level_unknown),
    _sealed("form unknown", "a number of no form", "bundle.packet_malformed", _form_unknown),
    _sealed("form of another", "a signed packet passed off as carried", "bundle.packet_malformed", _form_of_another),
    _sealed("packet refused", "a refused packet's reading counts", "bundle.reading_refused", _packet_refused),
    _sealed("packet altered", "the payload, under the old signature", "bundle.packet_signature", _packet_altered),
    _sealed("packet signed by another", "another device's signature", "bundle.packet_signature", _packet_by_another),
    _sealed("packet of another", "another device's packet", "bundle.packet_device", _packet_of_another),
    _sealed("packet garbled", "bytes that are no packet", "bundle.packet_malformed", _packet_garbled),
    _sealed("sequence altered", "the packet's number in its row", "bundle.sequence", _sequence_altered),
    _sealed("chain broken", "a packet that names another one before it", "bundle.sequence", _chain_broken),
    _file("readings exchanged", "the later one before the hour", "bundle.hour_mismatch", _readings_exchanged),
    _file("reading left out", "as if the meter had stood at 0", "bundle.unused", _reading_left_out),
    _sealed("meter lower", "the rack's meter signed fewer Wh", "bundle.meter_span", _meter_lower),
    _file("device number", "a device numbered out of order", "bundle.device_name", _device_number),
    _file("register number", "a register numbered out of order", "bundle.register_name", _register_number),
    _sealed("register renamed", "the energy register of another rack", "bundle.register_name", _register_renamed),
    _sealed("register's unit", "tokens counted in Wh", "bundle.register_name", _register_unit),
    _file("no title", "another row in the title's place", "bundle.title_missing", _title_is_no_title),
    _sealed("title of another right", "energy in the attribute's place", "bundle.title_missing", _title_of_other_right),
    _sealed("title longer", "one Wh more than the meter counted", "bundle.title_span", _title_longer),
    _sealed("title of another roof", "its register", "bundle.title_span", _title_of_other_roof),
    _sealed("hour shifted", "the title's hour, one later", "bundle.hour_mismatch", _hour_shifted),
    _sealed("two hours", "titles and meters that know no single hour", "bundle.hour_mismatch", _interval_of_two_hours),
    _file("no claim", "another row in the claim's place", "bundle.claim_missing", _claim_is_no_claim),
    _sealed("claim for another rack", "its purpose", "bundle.claim_missing", _claim_for_other_rack),
    _sealed("claim still held", "a move that claims nothing", "bundle.claim_missing", _claim_still_held),
    _sealed("claim too short", "a claim of one Wh", "bundle.claim_missing", _claim_too_short),
    _file("roof left out", "one allocation missing", "bundle.allocation_sum", _roof_left_out),
    _file("roof twice", "one allocation listed twice", "bundle.claimed_twice", _roof_twice),
    _sealed("Wh given twice", "two allocations of the same Wh", "bundle.claimed_twice", _wh_given_twice),
    _sealed("allocation unequal", "one Wh more on the roof's side", "bundle.allocation_sum", _allocation_unequal),
    _file("allocation shifted", "a part that starts one Wh later", "bundle.allocation_sum", _allocation_shifted),
    _sealed("conversion shifted", "Wh beside their mJ", "bundle.conversion", _conversion_shifted),
    _file("conversion part", "one mJ not covered", "bundle.conversion", _conversion_part),
    _sealed("work shifted", "accelerator time of the neighbour", "bundle.work_span", _work_shifted),
    _sealed("answer longer", "one token more than asked for", "bundle.serve_span", _serve_longer),
    _file("energy off by one", "one mJ more in the summary", "bundle.answer_sum", _energy_off_by_one),
    _file("other answer", "the next answer's number", "bundle.answer_sum", _other_answer),
    _file("other rack", "another rack's name", "bundle.fact_kind", _other_rack),
    _sealed("bill off by one", "one micro-dollar more", "bundle.bill_span", _bill_off_by_one),
    _sealed("price changed", "an offer at another price", "bundle.bill_span", _price_changed),
    _sealed("payment unequal", "one micro-dollar lost on the way", "bundle.pay_sum", _payment_unequal),
    _file("payment from nowhere", "the collection left out", "bundle.pay_sum", _payment_from_nowhere),
    _sealed("payment short", "a link that ends within the answer", "bundle.pay_sum", _payment_short),
    _file("payment twice", "a payment listed twice", "bundle.pay_sum", _paid_twice),
    _file(
        "payment understated", "the last payment claimed one micro-dollar short", "bundle.pay_sum", _payment_understated
    ),
    _file("payment hidden", "the last payment not claimed", "bundle.unused", _payment_hidden),
    _file("collected more", "one micro-dollar more in the summary", "bundle.answer_sum", _collected_more),
    _file("null for string", "an amount is null", "bundle.malformed", _put("answer", "tokens", value=None)),
    _file("words for number", "an amount in words", "bundle.malformed", _put("answer", "tokens", value="many")),
    _file("too many bits", "an amount of 2^63", "bundle.malformed", _put("answer", "tokens", value=str(2**63))),
    _file(
        "too many digits", "an amount of 5,000 digits", "bundle.malformed", _put("answer", "tokens", value="9" * 5_000)
    ),
    _file("no text", "a name that is no Unicode text", "bundle.malformed", _surrogate),
    _file("odd hex", "half a byte missing", "bundle.malformed", _odd_hex),
    _file("short hash", "a hash of 31 bytes in a proof", "bundle.malformed", _short_hash),
    _file("list for object", "a list in an object's place", "bundle.malformed", _put("claims", "meter", value=[])),
    _file("object for list", "an object in a list's place", "bundle.malformed", _put("context", value={})),
    _file(
        "row of no fact", "a row of a fact that is not here", "bundle.malformed", _put("rows", 0, "fact", value="9999")
    ),
    _file("row twice", "a row stands twice", "bundle.malformed", _row_twice),
    _file("no such row", "a claim on a row that is not here", "bundle.malformed", _put("claims", "serve", value="999")),
    _file("no such context", "a fact told that is not here", "bundle.malformed", _put("context", value=["9999"])),
    _file("note without newline", "the last line cut open", "bundle.checkpoint_malformed", _note_without_newline),
    _file("note of two lines", "a checkpoint without a root", "bundle.checkpoint_malformed", _note_of_two_lines),
    _file("note without root", "a root that is no base64", "bundle.checkpoint_malformed", _note_without_root),
    _file("register is none", "another fact in its place", "bundle.fact_kind", _register_is_none),
    _file("device is none", "a fact in its place that is not here", "bundle.fact_kind", _device_is_none),
    _file("register left out", "a register that a link names", "bundle.register_name", _register_left_out),
    _file("device left out", "the device of a packet", "bundle.packet_device", _device_left_out),
    _sealed("fact too many", "a fact that no claim leans on", "bundle.unused", _fact_too_many),
    _sealed("fact of another version", "a fact from the future", "bundle.fact_malformed", _fact_version),
    _sealed("fact without data", "a fact whose data is a list", "bundle.fact_malformed", _fact_without_data),
    _sealed("fact says nothing", "a field that is null", "bundle.fact_malformed", _fact_says_nothing),
    _sealed("rows of another format", "a segment of waterfall steps", "bundle.row_malformed", _rows_of_another_format),
    _sealed("row with a tail", "a byte behind a row", "bundle.row_malformed", _row_with_tail),
    _sealed(
        "packet with a tail", "a byte behind it", "bundle.packet_malformed", _message(lambda m: _tagged(m) + b"\0")
    ),
    _sealed("packet cut short", "without its end", "bundle.packet_malformed", _message(lambda m: _tagged(m)[:-9])),
    _sealed("packet without tag", "a pair, not a tag", "bundle.packet_malformed", _message(lambda m: [18, m])),
    _sealed(
        "packet without signature",
        "a number there",
        "bundle.packet_malformed",
        _message(lambda m: _tagged([*m[:3], 0])),
    ),
    _sealed(
        "packet in another name",
        "outside, not inside",
        "bundle.packet_malformed",
        _message(lambda m: _tagged([m[0], {4: b"roof-z"}, *m[2:]])),
    ),
    _sealed("instant twice", "two positions signed for one instant", "bundle.reading_mismatch", _instant_twice),
    _sealed("packets of another command", "the root", "bundle.reading_mismatch", _packets_of_another_command),
    _sealed("reading of another register", "its number", "bundle.reading_mismatch", _reading_of_other_register),
    _sealed("two of one name", "two registers that are paid", "bundle.register_name", _two_of_one_name),
    _sealed("billed by no class", "a register of another name", "bundle.register_name", _billed_by_no_class),
    _sealed("time of another row", "the next row's place", "bundle.serve_span", _serve_of_another_row),
    _sealed("time longer", "one ms more than served", "bundle.serve_span", _time_longer),
    _sealed("work without energy", "an answer from nothing", "bundle.work_span", _work_without_energy),
    _sealed("conversion short", "a link that ends within the answer", "bundle.conversion", _conversion_short),
    _sealed("conversion elsewhere", "into another register", "bundle.conversion", _conversion_elsewhere),
    _file("allocation beyond", "a part that leaves its link", "bundle.allocation_sum", _allocation_beyond),
    _sealed("claim of another roof", "its register", "bundle.claim_missing", _claim_of_other_register),
    _sealed("bill of other tokens", "at the right price", "bundle.bill_span", _bill_of_other_tokens),
)

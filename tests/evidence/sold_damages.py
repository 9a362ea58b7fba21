"""Every way to damage the bundle of an answer that was sold by itself; docs/bundle.md lists them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from certificate_damages import LifeDamage
from forging import Plain, edit_fact, edit_row

HOUR_US = 3_600_000_000


def _seq(plain: Plain, row: str) -> str:
    return str(plain["rows"][int(row)]["fact"])


def _interval(plain: Plain, name: str) -> str:
    return str(plain["claims"]["interval"][name])


def _row(path: str, **changes: int) -> Callable[[Plain], None]:
    """Fields of the row of the statement, the sale, the title: by adding to them."""

    def edit(plain: Plain) -> None:
        edit_row(plain, _place(plain, path), **changes)

    return edit


def _fact(path: str, **changes: str) -> Callable[[Plain], None]:
    """Fields of the fact behind such a row, or of that which sealed the energy."""

    def edit(plain: Plain) -> None:
        seq = _interval(plain, "sealed") if path == "sealed" else _seq(plain, _place(plain, path))
        edit_fact(plain, seq, **changes)

    return edit


def _place(plain: Plain, path: str) -> str:
    if path in ("stated", "first"):
        return _interval(plain, path)
    if path == "title":
        return str(plain["claims"]["allocate"][-1]["title"])
    if path == "loss":
        return str(plain["claims"]["interval"]["losses"][2])
    return str(plain["claims"][path])


def _byte(path: str, place: int, plain: Plain) -> None:
    """One bit of a row, in its digests where ``place`` counts from the end."""
    row = plain["rows"][int(_place(plain, path))]
    raw = bytearray.fromhex(row["row"])
    raw[place] ^= 1
    row["row"] = raw.hex()


def _other_number(plain: Plain) -> None:
    plain["rows"][int(_place(plain, "sale"))]["row"] = _plus_one(plain["rows"][int(_place(plain, "sale"))]["row"])


def _plus_one(row: str) -> str:
    raw = bytes.fromhex(row)
    return (int.from_bytes(raw[:8], "little") + 1).to_bytes(8, "little").hex() + row[16:]


def _short(plain: Plain) -> None:
    row = plain["rows"][int(_place(plain, "sale"))]
    row["row"] = row["row"][:-2]


def _left_out(plain: Plain) -> None:
    plain["claims"]["interval"] = {"stated": "", "sealed": "", "first": "", "losses": []}


def _unsaid(plain: Plain) -> None:
    plain["claims"]["interval"]["stated"] = ""


def _sale_left_out(plain: Plain) -> None:
    plain["claims"]["sale"] = ""


def _unpaid(plain: Plain) -> None:
    plain["claims"]["sale"] = plain["claims"]["bill"] = ""
    plain["claims"]["pay"] = []
    plain["answer"]["billed_usdc_micro"] = plain["answer"]["collected_usdc_micro"] = "0"


def _exchanged(plain: Plain) -> None:
    losses = plain["claims"]["interval"]["losses"]
    losses[0], losses[2] = losses[2], losses[0]


def _one_loss_less(plain: Plain) -> None:
    plain["claims"]["interval"]["losses"].pop()


def _first_is_not(plain: Plain) -> None:
    plain["claims"]["interval"]["first"] = plain["claims"]["work"]


def _of(name: str, how: str, code: str, edit: Callable[[Plain], None], sealed: bool = True) -> LifeDamage:
    return LifeDamage("sold", name, how, code, edit, sealed)


DAMAGES: tuple[LifeDamage, ...] = (
    _of("report left out", "as if no provider had signed", "bundle.hour_mismatch", _left_out, False),
    _of("statement left out", "sealed energy alone", "bundle.malformed", _unsaid, False),
    _of("loss left out", "two of three", "bundle.malformed", _one_loss_less, False),
    _of("losses exchanged", "idle for unattributed", "bundle.interval_sum", _exchanged, False),
    _of("first link", "the answer's own", "bundle.interval_sum", _first_is_not, False),
    _of("meter higher", "one mJ more than was shared out", "bundle.interval_sum", _fact("sealed", meter_mj="9030001")),
    _of(
        "idle for unattributed",
        "in the sealed sums alone",
        "bundle.interval_sum",
        _fact("sealed", idle_mj="3000000", unattributed_mj="0"),
    ),
    _of("loss shorter", "a mJ that nothing has", "bundle.interval_sum", _row("loss", source_stop=-1, target_stop=-1)),
    _of("loss elsewhere", "into accelerator time", "bundle.register_name", _row("loss", target=-2)),
    _of("energy stated otherwise", "one mJ more", "bundle.interval_sum", _row("stated", energy_mj=1)),
    _of("tokens stated otherwise", "one token more", "bundle.interval", _row("stated", output_tokens=1)),
    _of("done later", "behind the interval", "bundle.interval", _row("stated", done_us=HOUR_US)),
    _of("statement bound elsewhere", "its root", "bundle.interval", _fact("stated", root="00" * 32)),
    _of("statement of another time", "its start", "bundle.interval", _fact("stated", start_us="0")),
    _of("statement of another rack", "its name", "bundle.interval", _fact("stated", rack="rack-1")),
    _of("one answer more", "than was stated", "bundle.interval", _fact("sealed", answers="6")),
    _of("sale left out", "a bill without a payment", "bundle.fact_kind", _sale_left_out, False),
    _of("told as unpaid", "its payment left out", "bundle.unused", _unpaid, False),
    _of("sale of another answer", "its number", "bundle.sale", _other_number),
    _of("payment of another", "one bit of its id", "bundle.sale", partial(_byte, "sale", -84)),
    _of("paid in no known way", "its scheme", "bundle.sale", _row("sale", scheme=7)),
    _of("sale of another model", "its name", "bundle.sale", _fact("sale", model="better words")),
    _of("sale of another rack", "its name", "bundle.sale", _fact("sale", rack="rack-1")),
    _of("paid more", "than was billed", "bundle.bill_span", _row("sale", paid_usdc_micro=1)),
    _of("billed more", "than was paid", "bundle.bill_span", _row("bill", target_stop=1)),
    _of("payment cut", "the last byte of its transaction", "bundle.row_malformed", _short),
    _of("energy of another hour", "the title's, one later", "bundle.hour_mismatch", _row("title", interval_us=HOUR_US)),
)

"""The segment formats: every bulk table the journal can seal. A changed layout is a new name."""

from __future__ import annotations

from typing import Final

from penstock.journal.segment import SegmentFormat, salted

PACKETS: Final = SegmentFormat(
    "packet/1",
    (("device", "int32"), ("sequence", "int64"), ("received_us", "int64"), ("verdict", "uint8")),
    blob="packet",
    subject="device",
    instant="received_us",
)
"""Signed packets as they came, accepted or not. ``device`` is -1 where the packet names none we know."""

DEVICES: Final = SegmentFormat(
    "device/1",
    (
        ("technology", "uint8"),
        ("key_kind", "uint8"),
        ("assurance", "uint8"),
        ("capacity_w", "int64"),
        ("commissioned_us", "int64"),
        ("tilt_deg", "int16"),
        ("azimuth_deg", "int16"),
        ("rolls_over_wh", "int64"),
    ),
    blob="identity",
    summed="capacity_w",
)
"""Devices enrolled in bulk; codes as in ``TECHNOLOGIES``, ``KEY_KINDS``, ``ASSURANCES``, -1 for no angle. ``identity``
is the CBOR array [name, public key, cell, [what the counter of each channel showed at commissioning in Wh]]."""

READINGS: Final = SegmentFormat(
    "reading/1",
    (("register", "int32"), ("at_us", "int64"), ("position_wh", "int64"), ("packet", "int32"), ("verdict", "uint8")),
    subject="register",
    instant="at_us",
)
"""Where registers stood: one row a reading; ``packet`` is the row in the packet segment of the same command."""

MESSAGES: Final = SegmentFormat(
    "packet/2",
    (
        ("device", "int32"),
        ("form", "uint8"),
        ("sequence", "int64"),
        ("received_us", "int64"),
        ("assurance", "uint8"),
        ("verdict", "uint8"),
        ("findings", "uint32"),
    ),
    blob="packet",
    subject="device",
    instant="received_us",
)
"""Messages of any form as they came, accepted or not: ``form`` is a `Form` code, ``assurance`` an index into
``ASSURANCES``, ``verdict`` 0 where it counts, ``findings`` a bit for each verdict code that was found."""

VERDICTS: Final = SegmentFormat(
    "reading/2",
    (
        ("register", "int32"),
        ("at_us", "int64"),
        ("position_wh", "int64"),
        ("packet", "int32"),
        ("assurance", "uint8"),
        ("verdict", "uint8"),
        ("findings", "uint32"),
        ("above_wh", "int64"),
    ),
    subject="register",
    instant="at_us",
)
"""Where registers stood, as ``reading/1``, with each reading's assurance level and all that was found. ``above_wh`` is
how much its register had counted above a clear sky's bound by then, since its solar day began: with it the next packet
of that day is judged as if both had come together."""

TITLES: Final = SegmentFormat(
    "title/1",
    (("register", "int32"), ("start", "int64"), ("stop", "int64"), ("holder", "int32"), ("interval_us", "int64")),
)
"""Titles issued: spans sorted by (register, start), each inside the interval that starts at ``interval_us``."""

SPANS: Final = SegmentFormat("span/1", (("register", "int32"), ("start", "int64"), ("stop", "int64")))
"""Spans of registers, for what the fact says of them."""

MOVES: Final = SegmentFormat(
    "move/1",
    (
        ("register", "int32"),
        ("start", "int64"),
        ("stop", "int64"),
        ("source", "int32"),
        ("target", "int32"),
        ("state", "uint8"),
    ),
)
"""Titles moved, in command order: from ``source`` to ``target``, into ``TITLE_STATES[state]``."""

LIFTS: Final = SegmentFormat("lift/1", (("register", "int32"), ("start", "int64"), ("stop", "int64")), blob="holder")
"""Certificates lifted to a chain: ``holder`` is the 20-byte address that each row is minted to."""

LINKS: Final = SegmentFormat(
    "link/1",
    (
        ("source", "int32"),
        ("source_start", "int64"),
        ("source_stop", "int64"),
        ("target", "int32"),
        ("target_start", "int64"),
        ("target_stop", "int64"),
    ),
)
"""Spans that became others: ``source`` and ``target`` are registers. A loss span has a loss register as target."""

REQUESTS: Final = SegmentFormat(
    "request/1",
    (("number", "int64"), ("arrived_us", "int64"), ("buyer", "int32"), ("tokens", "int64"), ("time_ms", "int64")),
    summed="tokens",
)
"""Answers served, in order of arrival; row i of the same command's links is request i."""

WORK: Final = SegmentFormat(
    "work/1",
    (
        ("number", "int64"),
        ("arrived_us", "int64"),
        ("first_us", "int64"),
        ("done_us", "int64"),
        ("prompt_tokens", "int64"),
        ("output_tokens", "int64"),
        ("time_ms", "int64"),
        ("energy_mj", "int64"),
    ),
    blob="digests",
    summed="energy_mj",
)
"""Answers as their provider states them. ``first_us`` is when the first token came, ``time_ms`` the accelerator time.
``digests`` is 128 bytes: payment id, sha256 of the request, sha256 of the answer, salt of the energy leaf."""

SALES: Final = SegmentFormat(
    "sale/1",
    (("number", "int64"), ("at_us", "int64"), ("scheme", "uint8"), ("payer", "int32"), ("paid_usdc_micro", "int64")),
    blob="payment",
    summed="paid_usdc_micro",
)
"""What was paid for answer ``number``: ``scheme`` 0 exact, 1 upto, 2 credit. ``payment`` is 84 bytes: payment id,
payer's address, transaction hash (zeros for a credit)."""

STEPS: Final = SegmentFormat(
    "step/1",
    (
        ("step", "int32"),
        ("source", "int32"),
        ("target", "int32"),
        ("due_usdc_micro", "int64"),
        ("paid_usdc_micro", "int64"),
        ("limit", "uint8"),
    ),
    summed="paid_usdc_micro",
)
"""The audit record of a closed period: what each waterfall step could pay, had to pay, paid, and what bound it."""

WITHDRAWALS: Final = SegmentFormat(
    "withdrawal/1", (("holder", "int32"), ("shares", "int64"), ("paid_usdc_micro", "int64")), summed="paid_usdc_micro"
)
"""Holders of a tranche paid out, one row a holder."""

STANDINGS: Final = SegmentFormat(
    "standing/1",
    (
        ("register", "int32"),
        ("device", "int32"),
        ("last_at_us", "int64"),
        ("last_wh", "int64"),
        ("certified_at_us", "int64"),
        ("certified_wh", "int64"),
        ("held_since_us", "int64"),
        ("above_wh", "int64"),
        ("still", "int64"),
        ("still_wh", "int64"),
        ("doubts", "uint32"),
        ("cleared_us", "int64"),
        ("head_sequence", "int64"),
    ),
    blob="head_hash",
)
"""Where registers and their devices stood when readings were erased, what the checks of a day remember of the time
before, and what reviews doubt: with it the journal still makes the same books."""

REVIEWS: Final = SegmentFormat("review/1", (("register", "int32"), ("at_us", "int64"), ("findings", "uint32")))
"""What a day's review found: the first doubtful reading of each register of which it found something."""

CHARGES: Final = SegmentFormat(
    "charge/1",
    (
        ("register", "int32"),
        ("start", "int64"),
        ("stop", "int64"),
        ("interval_us", "int64"),
        ("assurance", "uint8"),
        ("lot", "int32"),
    ),
)
"""Charge records: consecutive spans of a storage's charge register, each in one interval and of one origin. ``lot`` is
one whose properties all certificates claimed for it share, -1 where there are none."""

DISCHARGES: Final = SegmentFormat(
    "discharge/1",
    (
        ("register", "int32"),
        ("start", "int64"),
        ("stop", "int64"),
        ("interval_us", "int64"),
        ("assurance", "uint8"),
        ("charge", "int64"),
    ),
)
"""Discharge records: consecutive spans of a storage's discharge register, each in one interval and from the one charge
record numbered ``charge``, -1 where no recorded charge is behind it."""

FACTORS: Final = SegmentFormat(
    "factor/1",
    (
        ("zone", "int32"),
        ("start_us", "int64"),
        ("stop_us", "int64"),
        ("average", "int64"),
        ("residual", "int64"),
        ("marginal", "int64"),
        ("carbon_free_bp", "int32"),
    ),
)
"""Grid factors [mg CO2e per kWh] of a zone (a number in the fact's list) and time, and the share of its mix that is
carbon-free [basis points]; -1 where the source gives none."""

ORDERS: Final = SegmentFormat(
    "order/1",
    (("order", "int32"), ("interval_us", "int64"), ("found_wh", "int64"), ("taken_wh", "int64")),
    summed="taken_wh",
)
"""What standing orders found of intervals in the issues that they looked at, and took."""

FOREIGN: Final = SegmentFormat(
    "foreign/1",
    (
        ("register", "int32"),
        ("start", "int64"),
        ("stop", "int64"),
        ("first", "int64"),
        ("last", "int64"),
        ("face_wh", "int64"),
        ("interval_us", "int64"),
        ("interval_stop_us", "int64"),
    ),
    blob="said",
)
"""Certificates of another registry: our own span, and theirs - numbers ``first`` to ``last``, both included, each of
``face_wh``. ``said`` is all that the file says of them, as canonical JSON."""

SHAPES: Final = SegmentFormat(
    "shape/1", (("start_us", "int64"), ("stop_us", "int64"), ("energy_wh", "int64")), summed="energy_wh"
)
"""What is promised of output sold forward: periods in order, and how much in each."""

ASSETS: Final = SegmentFormat(
    "asset/1",
    (
        ("asset", "int32"),
        ("kind", "uint8"),
        ("technology", "uint8"),
        ("assurance", "uint8"),
        ("related", "uint8"),
        ("balance_usdc_micro", "int64"),
        ("value_usdc_micro", "int64"),
        ("rate_e8", "int64"),
        ("start_us", "int64"),
        ("ends_us", "int64"),
        ("first_due_us", "int64"),
        ("term_periods", "int32"),
        ("payment_usdc_micro", "int64"),
    ),
    blob="named",
    summed="balance_usdc_micro",
)
"""Assets pledged to a deal: numbers in order over all deals; codes as in ``AssetKind``, ``TECHNOLOGIES`` (255 for none)
and ``ASSURANCES``; 1 for a related party's; outstanding and worth by now; rate a year [hundred-millionths]; the
contract's begin, end and first payment; payments left and each. ``named`` is the CBOR array [asset, contract, offtaker,
obligor, region, [registers]]."""

RELEASES: Final = SegmentFormat(
    "release/1", (("asset", "int32"), ("balance_usdc_micro", "int64")), summed="balance_usdc_micro"
)
"""Assets that leave a deal, and what is outstanding on each then."""

BILLS: Final = SegmentFormat(
    "bill/1",
    (
        ("bill", "int64"),
        ("asset", "int32"),
        ("start_us", "int64"),
        ("stop_us", "int64"),
        ("due_us", "int64"),
        ("quantity", "int64"),
        ("usdc_micro", "int64"),
    ),
    blob="reference",
    summed="usdc_micro",
)
"""Bills: numbers in order over all deals; of what time, due when, for how many units (0 where none are counted), and
how much. ``reference`` is the servicer's own name of it (UTF-8)."""

COLLECTIONS: Final = SegmentFormat(
    "collection/1",
    (
        ("asset", "int32"),
        ("bill", "int64"),
        ("kind", "uint8"),
        ("flag", "uint8"),
        ("usdc_micro", "int64"),
        ("received_us", "int64"),
    ),
    blob="payer",
    summed="usdc_micro",
)
"""Payments received: on which asset and bill (-1 for none), codes as in ``CollectionKind`` and ``Flag``, how much and
when. ``payer`` is who paid (UTF-8)."""

STATUSES: Final = SegmentFormat(
    "status/1",
    (("asset", "int32"), ("balance_usdc_micro", "int64"), ("past_due_days", "int32")),
    summed="balance_usdc_micro",
)
"""A servicer's tape: what is outstanding on each asset, and for how long its oldest payment is due."""

WRITE_OFFS: Final = SegmentFormat("writeoff/1", (("asset", "int32"), ("usdc_micro", "int64")), summed="usdc_micro")
"""Balances written off."""

PLAIN: Final = (
    PACKETS,
    DEVICES,
    READINGS,
    MESSAGES,
    VERDICTS,
    TITLES,
    SPANS,
    MOVES,
    LIFTS,
    LINKS,
    REQUESTS,
    WORK,
    SALES,
    STEPS,
    WITHDRAWALS,
    STANDINGS,
    REVIEWS,
    ORDERS,
    FOREIGN,
    FACTORS,
    CHARGES,
    DISCHARGES,
    SHAPES,
    ASSETS,
    RELEASES,
    BILLS,
    COLLECTIONS,
    STATUSES,
    WRITE_OFFS,
)
"""Every format without salt."""

SALTED: Final = tuple(salted(fmt) for fmt in PLAIN if fmt.subject)
"""The formats of rows that can be erased, with salted leaves."""

FORMATS: Final = {fmt.name: fmt for fmt in (*PLAIN, *SALTED)}

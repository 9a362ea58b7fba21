"""The words all wings share: what a register counts, what can be owned, how far a number can be trusted."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class Unit(StrEnum):
    """The one unit of a register."""

    WH = "Wh"
    MJ = "mJ"
    MS = "ms"
    TOKENS = "tokens"
    REQUESTS = "requests"
    USDC_MICRO = "usdc_micro"
    G_CO2E = "gCO2e"


class RegisterKind(StrEnum):
    """How a register comes to stand where it stands."""

    COUNTED = "counted"  # a meter, or a sum of what was billed, collected or paid
    SCHEDULED = "scheduled"  # a calendar: the position is time
    PROMISED = "promised"  # an issuer's liability
    LOSS = "loss"  # units that left without becoming anything else


class Right(StrEnum):
    """What can be owned in a span; each right has its own book."""

    ATTRIBUTE = "attribute"  # certificate
    ENERGY = "energy"  # the energy sold
    USE = "use"  # the use of capacity, or of credits promised against it
    CONSUMPTION = "consumption"  # to say what supplied a Wh drawn: a consumption certificate
    CARBON = "carbon"  # to say that a gram was not emitted: a carbon credit, which used up attributes


class TitleState(StrEnum):
    """Where a title stands in its life."""

    HELD = "held"
    RESERVED = "reserved"
    LIFTED = "lifted"
    CLAIMED = "claimed"
    RETIRED = "retired"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    EXPORTED = "exported"  # it lives in another registry


TITLE_STATES: tuple[TitleState, ...] = tuple(TitleState)
"""Order of the uint8 codes in columns: ``TITLE_STATES[code]``."""


class LinkKind(StrEnum):
    """What a link says of two spans."""

    ALLOCATE = "allocate"  # energy generated to energy drawn, same interval; like units
    CLAIM = "claim"  # an attribute to what was drawn and is claimed to be supplied by it, same interval; like units
    STORE = "store"  # charge to discharge; like units
    CONVERT = "convert"  # the same quantity on a finer scale (Wh to mJ), exact
    WORK = "work"  # energy to accelerator time
    SERVE = "serve"  # accelerator time to tokens
    DELIVER = "deliver"  # a promised span filled by a counted one
    BILL = "bill"  # tokens to micro-dollars owed
    PAY = "pay"  # micro-dollars onward; like units
    AVOID = "avoid"  # a retired attribute to the grams of a carbon credit


class Assurance(StrEnum):
    """Who vouches for a reading, strongest first."""

    METER_SIGNED = "meter_signed"
    GATEWAY_SIGNED = "gateway_signed"
    VENDOR_ATTESTED = "vendor_attested"
    DECLARED = "declared"


class Technology(StrEnum):
    """What a measuring point measures."""

    SOLAR_PV = "solar_pv"
    RACK = "rack"
    WIND = "wind"
    BATTERY = "battery"
    CHARGER = "charger"
    LOAD = "load"
    GENERATOR = "generator"
    ACCELERATOR = "accelerator"
    HYDRO = "hydro"
    BIOMASS = "biomass"
    GEOTHERMAL = "geothermal"
    NUCLEAR = "nuclear"


TECHNOLOGIES: tuple[Technology, ...] = tuple(Technology)
ASSURANCES: tuple[Assurance, ...] = tuple(Assurance)
"""Order of the uint8 codes in columns; of assurance levels the strongest has the lowest code."""


class Form(IntEnum):
    """The written form of a message; the code in ``packet/2``."""

    COSE = 0  # our own: COSE_Sign1 over CBOR
    OCMF = 1  # Open Charge Metering Format 1.x
    POGG = 2  # Arkreen's signed generation report
    CARRIED = 3  # readings of an unsigned source (file, vendor's cloud, field bus) in one canonical CBOR form


class Outcome(StrEnum):
    """What became of a message or a reading."""

    ACCEPTED = "accepted"
    NOTED = "accepted_with_findings"
    QUARANTINED = "quarantined"  # kept, not counted, until somebody decides
    REFUSED = "refused"


class PointRole(StrEnum):
    """What a register of a site's measuring-point tree is for: one per carrier and direction issues."""

    ISSUES = "issues"
    CHECKS = "checks"


class Direction(StrEnum):
    """Which way a register counts, seen from its measuring point."""

    EXPORT = "export"
    IMPORT = "import"
    CHARGE = "charge"
    DISCHARGE = "discharge"


class EpochCause(StrEnum):
    """Why a register ends and another continues it."""

    REPLACED = "replaced"
    ROLLED_OVER = "rolled_over"
    RESET = "reset"
    CORRECTED_UP = "corrected_up"
    CORRECTED_DOWN = "corrected_down"

"""Issue, transfer, claim or retire as one command; and claims of chosen certificates for what was drawn."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from consumer_kit import Consumers
from device_kit import hours
from registry_kit import ROOF, named

from penstock.errors import Conflict, PenstockError
from penstock.journal.fact import Entry
from penstock.journal.kinds.energy import TitlesMoved
from penstock.journal.laws import breaches
from penstock.journal.segment import Columns
from penstock.journal.words import LinkKind, Right
from penstock.period import HOUR_US
from penstock.usecases.certify import Terms
from penstock.usecases.registry.claim_certificates import ClaimCertificates, claim_certificates
from penstock.usecases.registry.reserve import Reserve, reserve
from penstock.usecases.registry.retire import Retirement, retire
from penstock.usecases.registry.selection import Selection
from penstock.usecases.registry.together import Then, Together, together
from penstock.usecases.registry.transfer import Transfer, transfer
from penstock.usecases.registry.withdraw import Withdrawal, withdraw

READINGS = ((1, 1_000), (2, 2_500), (3, 3_000), (4, 5_000))


@pytest.fixture
def homes() -> Consumers:
    """The roof has counted four hours, nothing is certified; a home drew 400, 2,000, 0 and 100 Wh."""
    return Consumers().consumed("home", (1, 400), (2, 2_400), (3, 2_400), (4, 2_500))


def done(homes: Consumers, asked: Together, hour: float = 5, *more: Columns) -> list[Entry]:
    readings = [homes.taken(*READINGS), *more] if not more else list(more)
    entries = together(homes.world, readings, asked, hours(hour))
    homes.tell(entries, hours(hour))
    assert breaches(homes.world.books) == ()
    return entries


def test_issued_transferred_and_retired_at_once(homes: Consumers) -> None:
    asked = Together("XX", "owner", "buyer", Then.RETIRE, beneficiary="the public", reason="an event")
    kinds = [one.fact.KIND for one in done(homes, asked)]
    assert kinds == ["titles.issued", "titles.issued", "titles.moved", "titles.moved"]
    assert homes.wh("buyer", "retired") == 5_000


def test_issued_transferred_and_claimed_as_far_as_it_was_drawn(homes: Consumers) -> None:
    done(homes, Together("XX", "owner", "buyer", Then.CLAIM, consumers=("home",)))
    assert homes.wh("buyer", "claimed") == 400 + 1_500 + 100
    assert homes.wh("buyer") == 600 + 500 + 1_900
    assert sum(b - a for a, b, _, state in homes.drawn("home") if state == "claimed") == 2_000
    assert len(homes.world.books.links[LinkKind.CLAIM]) == 3


def test_it_stays_with_its_holder_where_no_target_is_named(homes: Consumers) -> None:
    done(homes, Together("XX", "owner", terms=Terms(valid_us=9 * HOUR_US)))
    assert homes.wh("owner") == 5_000


def test_what_covers_a_debt_is_neither_sold_nor_claimed(homes: Consumers) -> None:
    done(homes, Together("XX", "owner"))
    homes.do(retire, Retirement("owner", named((0, 1_000)), "buyer", "x"))
    homes.do(withdraw, Withdrawal(named((0, 1_000)), "an error"))
    later = homes.taken((6, 5_600), (7, 7_000))
    done(homes, Together("XX", "owner", "buyer", Then.RETIRE, reason="x"), 8, later)
    assert homes.wh("owner", "withdrawn") == 1_000
    assert homes.wh("buyer", "retired") == 1_000
    assert [span for span in homes.owned() if span[0] >= 5_000][-1][1] == 7_000


def test_what_has_expired_already_stays_as_it_was_issued(homes: Consumers) -> None:
    terms = Terms(valid_us=2 * HOUR_US)
    done(homes, Together("XX", "owner", "buyer", Then.RETIRE, terms, reason="x"), 5)
    assert homes.wh("buyer", "retired") == 2_000
    assert homes.wh("owner") == 3_000


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"then": Then.RETIRE}, "retire.reason"),
        ({"statement": "\x00"}, "retire.text"),
        ({"zone": ""}, "certificate.zone"),
        ({"zone": "x" * 33}, "certificate.zone"),
        ({"by": "attacker"}, "account.not_member"),
        ({"account": "nobody"}, "account.unknown"),
        ({"account": "trader"}, "together.nothing"),
        ({"target": "owner"}, "transfer.same_account"),
        ({"target": "nobody"}, "account.unknown"),
        ({"then": Then.CLAIM, "consumers": ("mill",)}, "together.unmatched"),
        ({"then": Then.CLAIM, "zone": "YY"}, "together.unmatched"),
        ({"terms": Terms(interval_us=1)}, "certificate.interval"),
        ({"terms": Terms(valid_us=1)}, "together.nothing"),
    ],
)
def test_where_a_part_is_refused_nothing_is_recorded(homes: Consumers, change: dict[str, Any], code: str) -> None:
    asked = replace(Together("XX", "owner", "buyer", consumers=("home",)), **change)
    readings, before = homes.taken(*READINGS), homes.world.books.digest()
    with pytest.raises(PenstockError) as caught:
        together(homes.world, [readings], asked, hours(50))
    assert caught.value.code == code
    assert homes.world.books.digest() == before


def test_the_same_readings_are_issued_once(homes: Consumers) -> None:
    done(homes, Together("XX", "owner"))
    with pytest.raises(PenstockError) as caught:
        done(homes, Together("XX", "owner"), 6, homes.taken((5, 5_000)))
    assert caught.value.code == "certificate.nothing"


# Chosen certificates claimed.


@pytest.fixture
def issued(homes: Consumers) -> Consumers:
    done(homes, Together("XX", "owner"))
    return homes


def claimed_for(selection: Selection, *consumers: str) -> ClaimCertificates:
    return ClaimCertificates("owner", selection, consumers or ("home",), "home", "for all to see")


def test_chosen_certificates_are_claimed_wh_for_wh(issued: Consumers) -> None:
    link, attribute, consumption = issued.do(claim_certificates, claimed_for(named((100, 500), (1_000, 1_100))))
    assert isinstance(attribute.fact, TitlesMoved)
    assert isinstance(consumption.fact, TitlesMoved)
    assert (attribute.fact.quantity, attribute.fact.beneficiary) == (500, "home")
    assert (attribute.fact.start_us, attribute.fact.stop_us) == (hours(0), hours(2))
    assert consumption.fact.right is Right.CONSUMPTION
    assert link.segment is not None
    assert link.segment.columns["target_start"].tolist() == [0, 400]


def test_no_more_is_claimed_than_was_drawn(issued: Consumers) -> None:
    assert issued.refused(claim_certificates, claimed_for(named((0, 401)))) == "claim.beyond_consumption"
    issued.do(claim_certificates, claimed_for(named((0, 400))))
    assert issued.refused(claim_certificates, claimed_for(named((400, 401)))) == "claim.beyond_consumption"
    assert issued.refused(claim_certificates, claimed_for(named((2_500, 2_501)))) == "claim.beyond_consumption"
    assert issued.refused(claim_certificates, claimed_for(named((0, 1)))) == "titles.not_active"


def test_what_is_reserved_for_another_is_not_claimed(issued: Consumers) -> None:
    issued.do(reserve, Reserve("owner", named((0, 400)), "buyer", hours(50)))
    assert issued.refused(claim_certificates, claimed_for(named((0, 100)))) == "reserve.for_another"
    issued.do(reserve, Reserve("owner", named((1_000, 1_100)), "home", hours(50)))
    issued.do(claim_certificates, claimed_for(named((1_000, 1_100))))
    assert issued.wh("owner", "claimed") == 100


def test_of_claims_of_one_certificate_one_wins(issued: Consumers) -> None:
    """Decided against the same world, recorded one after the other: the second does not apply."""
    both = [claim_certificates(issued.world, claimed_for(named((0, 300))), hours(5)) for _ in range(2)]
    issued.tell(both[0], hours(5))
    with pytest.raises(PenstockError):
        issued.tell(both[1], hours(5))


def test_what_was_transferred_away_is_not_claimed(issued: Consumers) -> None:
    issued.do(transfer, Transfer("owner", "trader", named((0, 400))))
    assert issued.refused(claim_certificates, claimed_for(named((0, 1)))) == "titles.other_holder"
    asked = replace(claimed_for(named((0, 100))), account="trader")
    issued.do(claim_certificates, asked)
    assert issued.wh("trader", "claimed") == 100


def test_a_unit_named_twice_is_not_claimed_twice(issued: Consumers) -> None:
    with pytest.raises(Conflict, match="named twice"):
        claim_certificates(issued.world, claimed_for(named((0, 10), (9, 20), register=ROOF)), hours(5))

"""Spans: half-open ranges that hold exactly as many units as they say."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.errors import Invalid
from penstock.span import Span

small = st.integers(0, 40)
spans = st.tuples(small, small).map(lambda ends: Span(min(ends), max(ends)))


def units(span: Span) -> list[int]:
    return [position for position in range(-1, 45) if position in span]


@given(spans)
def test_a_span_holds_its_length_of_units_without_the_stop(span: Span) -> None:
    assert units(span) == list(range(span.start, span.stop))
    assert len(units(span)) == len(span)
    assert bool(span) == (len(span) > 0)
    assert span.stop not in span


@given(spans, spans)
def test_a_meeting_is_what_both_hold(one: Span, other: Span) -> None:
    assert set(units(one.meet(other))) == set(units(one)) & set(units(other))


@given(spans, spans)
def test_meeting_works_both_ways(one: Span, other: Span) -> None:
    assert units(one.meet(other)) == units(other.meet(one))


@given(spans, small)
def test_a_cut_loses_and_doubles_nothing(span: Span, position: int) -> None:
    if span.start <= position <= span.stop:
        left, right = span.cut(position)
        assert units(left) + units(right) == units(span)
    else:
        with pytest.raises(Invalid) as caught:
            span.cut(position)
        assert caught.value.code == "span.cut_outside"


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (3, 2), (-5, -4)])
def test_a_span_runs_upwards_from_0_or_more(start: int, stop: int) -> None:
    with pytest.raises(Invalid) as caught:
        Span(start, stop)
    assert caught.value.code == "span.malformed"


def test_beyond_64_bits_nothing_is_lost() -> None:
    span = Span(2**70, 2**70 + 3)
    assert 2**70 + 2 in span
    assert span.cut(2**70 + 1) == (Span(2**70, 2**70 + 1), Span(2**70 + 1, 2**70 + 3))

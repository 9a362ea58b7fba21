"""A machine that draws each next act evenly from all of them. Hypothesis alone would leave some rules out of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import hypothesis.strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

Method = TypeVar("Method", bound=Callable[..., None])


def act(when: Callable[[Any], Any] = lambda _: True, **drawn: st.SearchStrategy[Any]) -> Callable[[Method], Method]:
    """Marks a method as an act, with what is drawn for it, possible ``when`` the machine says so."""

    def mark(method: Method) -> Method:
        method.__dict__["drawn"] = when, drawn
        return method

    return mark


class Acting(RuleBasedStateMachine):
    """Its one rule is to act."""

    @rule(data=st.data())
    def step(self, data: st.DataObject) -> None:
        marked = {name: getattr(type(self), name) for name in dir(type(self))}
        acts = [one for one in marked.values() if hasattr(one, "drawn") and one.drawn[0](self)]
        chosen = data.draw(st.sampled_from(acts), label="act")
        told = {name: data.draw(strategy, label=name) for name, strategy in chosen.drawn[1].items()}
        chosen(self, **({name: data if one is DATA else one for name, one in told.items()}))


DATA = object()
"""What stands for the data to draw from, among what is drawn."""
PICK: st.SearchStrategy[Any] = st.just(DATA)

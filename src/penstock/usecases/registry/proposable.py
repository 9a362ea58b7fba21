"""Acts that can be proposed: their forms, and how they are written down - in a proposal, and by people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from typing import Any, Final

from penstock.energy.forms.json_text import read_json
from penstock.energy.roles import ADMINISTER
from penstock.errors import Invalid
from penstock.journal.canonical import dump, from_plain, load, to_plain
from penstock.journal.fact import Entry
from penstock.journal.kinds.account import (
    ActProposed,
    ApprovalRuled,
    MemberPlaced,
    OrderPlaced,
    WalletBound,
    WalletReleased,
    WhitelistStated,
)
from penstock.usecases.registry.account import say
from penstock.usecases.registry.export_certificates import Export, export
from penstock.usecases.registry.match_hours import Hours, match_hours
from penstock.usecases.registry.recurring import place_order
from penstock.usecases.registry.reserve import Release, Reserve, release, reserve
from penstock.usecases.registry.retire import Retirement, retire
from penstock.usecases.registry.selection import Named, Selection
from penstock.usecases.registry.transfer import Transfer, transfer
from penstock.usecases.world import World

DEPTH_MAX: Final = 8
Decide = Callable[[World, Any, int], list[Entry]]


@dataclass(frozen=True, slots=True)
class Act:
    """An act that can be proposed: its name, the form it is asked in, and how it is decided."""

    name: str
    form: type[Any]
    decide: Decide


ACTS: Final = (
    Act("transfer", Transfer, transfer),
    Act("retire", Retirement, retire),
    Act("reserve", Reserve, reserve),
    Act("release", Release, release),
    Act("claim", Hours, match_hours),
    Act("export", Export, export),
    Act("order", OrderPlaced, place_order),
    *(
        Act(ADMINISTER, form, say)
        for form in (MemberPlaced, WhitelistStated, WalletBound, WalletReleased, ApprovalRuled)
    ),
)
"""What can be proposed."""


def read_asked(proposed: ActProposed) -> Any:
    """The act that a proposal asks for, in its form, asked by nobody yet. Raises Invalid ``proposal.act``."""
    plain = load(proposed.asked.encode())
    if isinstance(plain, dict) and plain.keys() == {"act", "asked"}:
        for act in ACTS:
            if act.form.__name__ == plain["act"]:
                return replace(from_plain(act.form, plain["asked"]), by="")
    raise Invalid("proposal.act", "This is not an act that can be proposed.")


def asked_of_json(raw: bytes) -> Any:
    """An act as people write it, ``{"act": "Transfer", "asked": {...}}``: what is left out is as by default.

    Raises:
        Invalid: ``proposal.act``, ``proposal.json``.
    """
    try:
        said = read_json(raw, DEPTH_MAX)
        form = next(act.form for act in ACTS if act.form.__name__ == said["act"])
        return from_plain(form, _completed(form, {**said["asked"], "by": ""}))
    except StopIteration:
        raise Invalid("proposal.act", "This is not an act that can be proposed.") from None
    except (ValueError, ArithmeticError, TypeError, KeyError, AttributeError, Invalid):
        hint = "Compare: penstock certificate account proposals --json"
        raise Invalid("proposal.json", "This is not an act as it is written.", hint=hint) from None


def _completed(form: type[Any], said: dict[str, Any]) -> Any:
    """Plain values of every field, those that are not said as by default."""
    plain: dict[str, Any] = {}
    for field in fields(form):
        default = field.default_factory() if field.default_factory is not MISSING else field.default
        if field.name in said:
            plain[field.name] = _plain(said[field.name], default)
        elif default is not MISSING:
            plain[field.name] = to_plain(default)
    return plain | {name: value for name, value in said.items() if name not in plain}


def _plain(value: Any, default: Any) -> Any:
    if isinstance(value, dict):
        form: Any = type(default) if is_dataclass(default) else Selection if "register" not in value else Named
        return _completed(form, value)
    if isinstance(value, list):
        return [_plain(one, MISSING) for one in value]
    return str(value) if type(value) is int else value


def written(asked: Any) -> str:
    """An act as a proposal keeps it: canonical JSON, asked by nobody."""
    return dump({"act": type(asked).__name__, "asked": to_plain(replace(asked, by=""))}).decode()


def act_of(form: type[Any]) -> Act:
    """The act that is asked in a form. Raises Invalid ``proposal.act``."""
    for act in ACTS:
        if act.form is form:
            return act
    hint = f"Known are: {', '.join(dict.fromkeys(act.name for act in ACTS))}."
    raise Invalid("proposal.act", "This is not an act that can be proposed.", hint=hint)

"""The error tree: what each kind means at the doors, and that it says all it knows."""

from __future__ import annotations

import pickle

import pytest

from penstock import errors
from penstock.errors import Conflict, Corrupt, Invalid, NotFound, PenstockError, Refused, Unavailable, Unverified

DRESS = {
    Refused: (3, 409),
    Invalid: (2, 400),
    NotFound: (4, 404),
    Unverified: (5, 422),
    Conflict: (3, 409),
    Unavailable: (6, 503),
    Corrupt: (70, 500),
}


def test_the_tree_is_whole() -> None:
    assert set(PenstockError.__subclasses__()) == set(DRESS)
    assert {name for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, PenstockError)} == {
        "PenstockError",
        *(kind.__name__ for kind in DRESS),
    }


@pytest.mark.parametrize("kind", DRESS)
def test_each_kind_has_its_exit_code_and_its_status(kind: type[PenstockError]) -> None:
    assert (kind.exit_code, kind.http_status) == DRESS[kind]


def test_an_error_says_all_it_knows() -> None:
    error = Refused("titles.none", "There is no title.", hint="Issue one.", row=3, register="roof/export")
    assert str(error) == "There is no title. [titles.none: row=3, register=roof/export]"
    assert error.to_json() == {
        "error": "Refused",
        "code": "titles.none",
        "message": "There is no title.",
        "hint": "Issue one.",
        "context": {"row": "3", "register": "roof/export"},
    }


def test_without_ids_the_code_stands_alone() -> None:
    assert str(Invalid("period.naive", "A time needs its offset.")) == "A time needs its offset. [period.naive]"


def test_an_error_goes_from_one_process_to_another_as_it_is() -> None:
    error = NotFound("store.no_workspace", "There is no workspace here.", hint="Make one.", path="here")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(again) is NotFound
    assert (again.to_json(), str(again), again.args) == (error.to_json(), str(error), error.args)

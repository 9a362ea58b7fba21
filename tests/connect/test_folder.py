"""A watched folder: settled files once, good parts of bad files kept, nothing taken twice when cut short."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from connect_kit import chain_of

from penstock.connect import folder as folder_module
from penstock.connect.folder import FolderConnector, Part, Taken, WatchedFolder
from penstock.connect.ports import Arrived
from penstock.connect.spool import Spool
from penstock.errors import Invalid, Unavailable
from penstock.journal.words import Form
from penstock.usecases.gateway import Gateway

CHAIN = chain_of("roof-a", 40)


class Inbox:
    """A folder, and a spool that remembers over restarts of whoever watches."""

    def __init__(self, tmp_path: Path) -> None:
        self.path, self.spool = tmp_path / "inbox", Spool(tmp_path / "spool.sqlite")
        self.path.mkdir()
        self.watched = self.watch()

    def watch(self) -> WatchedFolder:
        return WatchedFolder(self.path, Gateway(self.spool).take_once)

    def visits(self, count: int = 2) -> list[Taken]:
        return [taken for _ in range(count) for taken in self.watched.visit()]

    def names(self, below: str = "") -> list[str]:
        return sorted(path.name for path in (self.path / below).iterdir() if path.is_file())


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path)


def test_a_settled_file_is_taken_once(inbox: Inbox) -> None:
    (inbox.path / "a.cbor").write_bytes(b"".join(one.raw for one in CHAIN))
    assert inbox.watched.visit() == []  # it may still grow
    assert inbox.watched.visit() == [Taken("a.cbor", 40)]
    assert (inbox.names(), inbox.names("done")) == ([], ["a.cbor"])
    batch = inbox.spool.cut()
    assert batch is not None and list(batch.messages) == CHAIN
    (inbox.path / "a.cbor").write_bytes(b"".join(one.raw for one in CHAIN))
    assert inbox.visits() == [Taken("a.cbor", 0)]
    assert inbox.names("done") == ["a-2.cbor", "a.cbor"]


def test_a_file_that_grows_is_left_alone(inbox: Inbox) -> None:
    path = inbox.path / "a.cbor"
    for count in range(1, 4):
        path.write_bytes(b"".join(one.raw for one in CHAIN[:count]))
        assert inbox.watched.visit() == []
    assert inbox.visits(1) == [Taken("a.cbor", 3)]


def test_drafts_links_and_folders_are_left_alone(inbox: Inbox) -> None:
    (inbox.path / "elsewhere").mkdir()
    for name in (".a.cbor", "a.cbor.part", "b.tmp"):
        (inbox.path / name).write_bytes(CHAIN[0].raw)
    (inbox.path / "link.cbor").symlink_to(inbox.path / ".a.cbor")
    assert inbox.visits(3) == []


def test_the_good_part_of_a_bad_file_is_kept(inbox: Inbox) -> None:
    (inbox.path / "a.cbor").write_bytes(CHAIN[0].raw + CHAIN[1].raw + b"\x82\x01")
    (inbox.path / "b.exe").write_bytes(b"?")
    taken = {one.name: one for one in inbox.visits()}
    assert taken["a.cbor"].messages == 2
    assert [taken[name].error.code for name in ("a.cbor", "b.exe")] == [  # type: ignore[union-attr]
        "connect.not_a_sequence",
        "connect.unknown_suffix",
    ]
    assert inbox.names("failed") == ["a.cbor", "a.cbor.why", "b.exe", "b.exe.why"]
    assert "at_byte" in (inbox.path / "failed" / "a.cbor.why").read_text()
    assert inbox.spool.waiting().messages == 2


def test_text_forms_come_a_line_each(inbox: Inbox) -> None:
    (inbox.path / "a.ocmf").write_bytes(b"OCMF|{}|{}\r\nOCMF|{1}|{}\nnoise")
    (inbox.path / "b.json").write_bytes(b'{\n"jsonrpc": "2.0"}\n')
    inbox.visits()
    batch = inbox.spool.cut()
    assert batch is not None
    assert set(batch.messages) == {
        Arrived(Form.OCMF, b"OCMF|{}|{}"),
        Arrived(Form.OCMF, b"OCMF|{1}|{}"),
        Arrived(Form.COSE, b"noise"),
        Arrived(Form.POGG, b'{\n"jsonrpc": "2.0"}'),
    }


def test_a_visit_cut_short_is_taken_up_where_it_ended(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """The spool keeps a few parts of a file, then the process is gone, and again; at the end each is there once."""
    monkeypatch.setattr(folder_module, "CHUNK", 500)
    (inbox.path / "a.cbor").write_bytes(b"".join(one.raw for one in CHAIN))
    keep, left, rounds = Gateway(inbox.spool).take_once, 0, 0

    def dying(token: str, part: Part) -> int:
        nonlocal left
        left -= 1
        if not left:
            raise KeyboardInterrupt
        kept = keep(token, part)
        batch = inbox.spool.cut()
        if batch:  # delivered at once, and forgotten but for its token
            got.extend(batch.messages)
            inbox.spool.done(batch.number)
            inbox.spool._sql.execute("DELETE FROM recent")
        return kept

    got: list[Arrived] = []
    while inbox.names():
        rounds, left = rounds + 1, rounds + 2
        watched = WatchedFolder(inbox.path, dying)
        watched.visit()
        try:
            watched.visit()
        except KeyboardInterrupt:
            continue
    assert rounds > 3
    assert got == CHAIN


def test_a_full_spool_leaves_the_file(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.cbor").write_bytes(CHAIN[0].raw)
    with Spool(tmp_path / "spool.sqlite", bytes_max=5) as spool:
        watched = WatchedFolder(tmp_path / "in", Gateway(spool).take_once)
        watched.visit()
        with pytest.raises(Unavailable):
            watched.visit()
    assert (tmp_path / "in" / "a.cbor").is_file()


def test_no_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(Invalid) as caught:
        WatchedFolder(tmp_path / "nowhere", lambda _token, _part: 0).visit()
    assert caught.value.code == "connect.no_folder"


def test_the_connector_goes_on_visiting(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_module, "VISIT_S", 0.02)
    names: list[str] = []
    with FolderConnector(inbox.watched, lambda taken: names.append(taken.name)):
        for name, one in (("a.cbor", CHAIN[0]), ("b.cbor", CHAIN[1])):
            (inbox.path / name).write_bytes(one.raw)
            deadline = time.monotonic() + 20
            while name not in names and time.monotonic() < deadline:
                time.sleep(0.01)
    assert names == ["a.cbor", "b.cbor"]

"""The chain desk: the operator's transactions through its outbox, and the contracts it knows by name."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from penstock.chain.artefact import Artefact, call_data, creation_data, event, load_artefact, result
from penstock.chain.client import ChainClient, ChainIdentity, ChainLog, Receipt
from penstock.chain.inbox import BLOCKS_A_QUERY, Cursor, poll, start
from penstock.chain.outbox import Outbox
from penstock.errors import NotFound, Refused, Unavailable
from penstock.keys import ChainKey
from penstock.store.ports import OutboxRow
from penstock.usecases.workspace import Workspace

FINALITY_BLOCKS: Final = 0
"""The embedded chain has one builder: what it mined stays."""
GAS: Final = 16_000_000
"""The limit of the desk's transactions: an unused rest costs nothing, an estimate two more executions."""


@dataclass(frozen=True, slots=True)
class Happened:
    """An event of a known contract: whose it is, what it is called, its arguments and its transaction."""

    contract: str
    event: str
    said: dict[str, Any]
    tx_hash: bytes


@dataclass(frozen=True, slots=True)
class Contract:
    """A deployed contract: what it is and where it stands."""

    artefact: Artefact
    address: bytes


class ChainDesk:
    """Acts on chain under ids of its own: the same id again returns what the first time brought."""

    def __init__(self, workspace: Workspace, client: ChainClient, key: ChainKey) -> None:
        self.client, self.key = client, key
        self._table, self._seen = workspace.store.outbox, workspace.store.observations
        self._outbox = Outbox(self._table, client, {key.address: key}, gas=GAS)
        self._contracts: dict[str, Contract] = {}
        self._identity = client.identity()
        self._history: dict[tuple[str, ...], tuple[int, list[Happened]]] = {}

    @property
    def address(self) -> bytes:
        """The operator's account."""
        return self.key.address

    @property
    def identity(self) -> ChainIdentity:
        """Which chain this is."""
        return self._identity

    def contract(self, name: str) -> Contract:
        """A contract this desk deployed or was told of. Raises NotFound ``chain.no_contract``."""
        if name not in self._contracts:
            raise NotFound("chain.no_contract", f"No contract {name} is deployed here.", name=name)
        return self._contracts[name]

    def know(self, name: str, artefact: str, address: bytes) -> Contract:
        """Name a contract that stands already."""
        self._contracts[name] = Contract(load_artefact(artefact), address)
        return self._contracts[name]

    def deploy(self, name: str, artefact: str, *args: Any) -> Contract:
        """Deploy once under ``name``; resumable. Raises as `act`."""
        receipt = self._settle(f"deploy:{name}", None, creation_data(load_artefact(artefact), *args))
        if receipt.contract is None:
            raise Unavailable("chain.pending", "The deployment is not mined yet.", id=name)
        return self.know(name, artefact, receipt.contract)

    def deploy_data(self, name: str, creation: bytes) -> bytes:
        """The address of a contract that is nothing but data, deployed once under ``name``. Raises as `deploy`."""
        receipt = self._settle(f"deploy:{name}", None, creation)
        if receipt.contract is None:
            raise Unavailable("chain.pending", "The deployment is not mined yet.", id=name)
        return receipt.contract

    def act(self, act_id: str, name: str, function: str, *args: Any) -> Receipt:
        """Call a function of a known contract in a transaction, once per ``act_id``.

        Raises:
            Refused: ``chain.act_refused``. Unavailable: ``chain.pending``, ``chain.unreachable``.
        """
        contract = self.contract(name)
        return self._settle(act_id, contract.address, call_data(contract.artefact, function, *args))

    def try_again(self, act_id: str) -> str:
        """The id itself, or one for another try where the chain refused those before: for acts that wait for a time."""
        refused = {row.id for row in self._table.rows() if row.state in ("reverted", "replaced")}
        ids = (act_id if number == 1 else f"{act_id}/{number}" for number in count(1))
        return next(one for one in ids if one not in refused)

    def plan(self, act_id: str, name: str, function: str, *args: Any) -> None:
        """Plan a call without sending it yet; the next `act`, `deploy` or `settle` sends it."""
        contract = self.contract(name)
        self._plan(act_id, contract.address, call_data(contract.artefact, function, *args))

    def give(self, act_id: str, account: bytes, wei: int) -> None:
        """Plan to send an account the chain's own money [wei], for fees; sent as with `plan`."""
        self._table.add([OutboxRow(id=act_id, sender=self.key.address, target=account, data=b"", value=wei)])

    def settle(self) -> None:
        """Send all that is planned. Raises Unavailable ``chain.pending`` where something could not leave."""
        stuck = self._outbox.pump()
        if stuck:
            raise Unavailable("chain.pending", "Some transactions could not leave yet.", hint="Try again.", ids=stuck)

    def view(self, name: str, function: str, *args: Any) -> Any:
        """What a function of a known contract answers: one value alone, several as a tuple."""
        contract = self.contract(name)
        output = self.client.call(contract.address, call_data(contract.artefact, function, *args))
        values = result(contract.artefact, function, output)
        return values[0] if len(values) == 1 else values

    def events(self, name: str, wanted: str) -> list[dict[str, Any]]:
        """Arguments of all final events ``wanted`` of a known contract, oldest first; the inbox is read to the head.

        Raises:
            Corrupt: ``chain.deep_reorg``. Conflict: ``chain.wrong_chain``.
        """
        self._read_inbox()
        contract = self.contract(name)
        seen = (log for log in self._seen.rows(final=True) if log.address == contract.address)
        decoded = (event(contract.artefact, log.topics, log.data) for log in seen)
        return [each[1] for each in decoded if each is not None and each[0] == wanted]

    def history(self, *names: str) -> list[Happened]:
        """All final events of known contracts, in the chain's order.

        Asked of the chain itself: the inbox has read only those contracts that were known while it read.
        """
        read, found = self._history.get(names, (-1, []))
        last = self.client.head().number - FINALITY_BLOCKS
        whose = {self.contract(name).address: name for name in names}
        for first in range(read + 1, last + 1, BLOCKS_A_QUERY):
            logs = self.client.logs(first, min(first + BLOCKS_A_QUERY - 1, last), list(whose))
            found += [one for log in logs if (one := self._happened(whose[log.address], log))]
        self._history[names] = (last, found)
        return found

    def _happened(self, name: str, log: ChainLog) -> Happened | None:
        told = event(self.contract(name).artefact, log.topics, log.data)
        return None if told is None else Happened(name, *told, log.tx_hash)

    def _read_inbox(self) -> None:
        kept = self._seen.cursor()
        cursor = Cursor.from_json(json.loads(kept)) if kept else start(self.client)
        addresses = [contract.address for contract in self._contracts.values()]
        self._seen.keep_cursor(json.dumps(poll(self.client, self._seen, cursor, addresses, FINALITY_BLOCKS).to_json()))

    def _plan(self, act_id: str, target: bytes | None, data: bytes) -> None:
        self._table.add([OutboxRow(id=act_id, sender=self.key.address, target=target, data=data)])

    def _settle(self, act_id: str, target: bytes | None, data: bytes) -> Receipt:
        self._plan(act_id, target, data)
        row = self._row(act_id)
        if row.state not in ("mined", "final"):
            self._outbox.pump()
            row = self._row(act_id)
        if row.state in ("reverted", "replaced"):
            raise Refused("chain.act_refused", f"The chain refused: {self._reason(row)}.", id=act_id)
        receipt = self.client.receipt(row.tx_hash) if row.tx_hash else None
        if receipt is None:
            raise Unavailable(
                "chain.pending", "The transaction is not mined yet.", hint="Run the same again.", id=act_id
            )
        return receipt

    def _reason(self, row: OutboxRow) -> str:
        """Why a transaction failed, in the contract's own words where the same call fails alike now."""
        try:
            if row.target is not None:
                self.client.call(row.target, row.data, sender=row.sender)
        except Refused as refused:
            return refused.message
        return row.note

    def _row(self, act_id: str) -> OutboxRow:
        return next(row for row in self._table.rows() if row.id == act_id)

"""What a servicer may record: the state of every serviced deal, and the checks that deciding and applying share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from penstock.capital.bills import NO_BILL, Bills, read_words
from penstock.capital.deal import Deal
from penstock.capital.marks import MILESTONE, Marks
from penstock.capital.periods import Periods
from penstock.capital.pooled import SUM_MAX, USDC_MICRO_MAX, Ints, Pooled, total
from penstock.capital.serviced import COLLECTION_KINDS, FLAGS, Serviced
from penstock.errors import Conflict, Invalid, NotFound, Refused
from penstock.journal.asset_rows import key_of, pledged_names, read_names
from penstock.journal.kinds.ledger import Transfer
from penstock.journal.kinds.seating import AttesterUnseated
from penstock.journal.kinds.servicing import (
    AssetDisputed,
    AssetsPooled,
    AssetsReleased,
    AssetsReported,
    AssetsWrittenOff,
    BillsIssued,
    CallExercised,
    CollectionKind,
    CollectionsMatched,
    DealRole,
    DisputeOutcome,
    DisputeResolved,
    MarkSet,
    RoleAppointed,
)
from penstock.journal.segment import Column, Columns


class ServicingRules:
    """Every serviced deal by name; assets and bills by number over all of them."""

    def __init__(self) -> None:
        self.assets = Pooled()
        self.bills = Bills()
        self.marks = Marks()
        self.deals: dict[str, Serviced] = {}
        self.pledged: dict[str, str] = {}
        self._spelled: dict[str, str] = {}

    def open(self, name: str, terms: Callable[[], tuple[Deal, Periods]], assets: Sequence[str]) -> None:
        """A deal begins, with assets pledged by name. Raises Conflict ``deal.known``, and as `check_free`."""
        if name in self.deals:
            raise Conflict("deal.known", "A deal of this name is originated already.", deal=name)
        self.check_free(assets)
        self.deals[name] = Serviced(terms)
        self.pledge(name, assets)

    def of(self, deal: str) -> Serviced:
        """A deal's state; NotFound ``deal.unknown``."""
        if deal not in self.deals:
            raise NotFound("deal.unknown", f"There is no deal {deal}.", hint="Originate it first.", deal=deal)
        return self.deals[deal]

    def check_may(self, deal: str, by: str, *roles: DealRole) -> None:
        """That ``by`` acts in one of these roles, where any is appointed; Refused ``servicing.not_appointed``."""
        appointed = self.of(deal).roles
        allowed = {account for role in roles for account in appointed.get(role, ())}
        if allowed and by not in allowed:
            hint = f"It is for the {' or the '.join(role.replace('_', '-') for role in roles)}."
            raise Refused("servicing.not_appointed", f"{by or 'Nobody'} may not do this.", hint=hint, deal=deal)

    def check_free(self, names: Iterable[str]) -> None:
        """That nothing of these names is pledged, however it is spelled; Conflict ``deal.pledged_twice``."""
        seen: set[str] = set()
        for name in names:
            key = key_of(name)
            if key in self._spelled or key in seen:
                deal = self.pledged.get(self._spelled.get(key, ""), "this deal")
                raise Conflict("deal.pledged_twice", f"{name} is pledged to another deal.", asset=name, deal=deal)
            seen.add(key)

    def pledge(self, deal: str, names: Iterable[str]) -> None:
        """Names that were free are a deal's from now on."""
        for name in names:
            self.pledged[name] = deal
            self._spelled[key_of(name)] = name

    def free(self, names: Iterable[str]) -> None:
        """Nobody's pledge bears these names any more."""
        for name in names:
            self.pledged.pop(name, None)
            self._spelled.pop(key_of(name), None)

    def check_pool(self, fact: AssetsPooled, rows: Columns) -> None:
        """That assets may be pooled so.

        Raises:
            As `check_may`, `read_names`, `Pooled.check`, `Pooled.check_sums`, `check_free`.
        """
        self.check_may(fact.deal, fact.by, DealRole.SPONSOR, DealRole.SERVICER)
        named = read_names(rows["named"])
        self.assets.check(rows, named)
        self.assets.check_sums(fact.deal, rows)
        self.check_free(pledged_names(named))

    def check_release(self, fact: AssetsReleased, rows: Columns) -> None:
        """That assets may leave: nothing disputed, and the balance stated. Raises Refused ``release.disputed``,
        ``release.balance``, and as `check_may`, `Pooled.check_held`."""
        self.check_may(fact.deal, fact.by, DealRole.SPONSOR, DealRole.SERVICER, DealRole.TRUSTEE)
        assets = rows["asset"]
        self.assets.check_held(fact.deal, assets)
        _check_once(assets)
        if (self.assets["disputed_usdc_micro"][assets] > 0).any():
            raise Refused("release.disputed", "An asset in dispute stays until that is resolved.")
        if not np.array_equal(rows["balance_usdc_micro"], self.outstanding(fact.deal)[assets]):
            raise Refused("release.balance", "The fact states another balance than is outstanding.")

    def check_bill(self, fact: BillsIssued, rows: Columns) -> None:
        """That bills may be issued. Raises as `check_may`, `Pooled.check_held`, `Bills.check`."""
        self.check_may(fact.deal, fact.by, DealRole.SERVICER, DealRole.BACKUP_SERVICER)
        self.assets.check_held(fact.deal, rows["asset"])
        self.bills.check(rows)

    def check_collect(self, fact: CollectionsMatched, rows: Columns, at_us: int) -> None:
        """That payments may be matched so.

        Raises:
            Conflict: ``collection.known`` for a reference used before. Invalid: ``collection.fields``.
            Refused: ``collection.ahead`` of what was received later than now, ``collection.flag``,
            ``collection.transfers``, ``collection.payer`` that is a deal's own account, ``collection.no_loss``,
            ``collection.principal`` beyond what is outstanding.
            As `check_may`, `Pooled.check_held`, `Bills.check_of`, `Bills.check_open`.
        """
        self.check_may(fact.deal, fact.by, DealRole.SERVICER, DealRole.BACKUP_SERVICER)
        deal = self.of(fact.deal)
        if fact.reference in deal.references:
            hint = "Each payment is recorded once, under the reference the bank gave it."
            raise Conflict("collection.known", f"{fact.reference} is recorded already.", hint=hint)
        _check_payments(fact, rows, at_us)
        self.assets.check_held(fact.deal, rows["asset"])
        billed = rows["bill"] != NO_BILL
        self.bills.check_of(rows["bill"][billed], rows["asset"][billed])
        self.bills.check_open(rows["bill"][billed], rows["usdc_micro"][billed])
        self._check_kinds(fact.deal, rows)
        self._check_transfers(fact, rows)
        if not np.array_equal(self.flags(fact.deal, rows), rows["flag"]):
            raise Refused("collection.flag", "The fact flags other payments than are to be looked at.")

    def flags(self, deal: str, rows: Columns) -> Column:
        """The flag of each payment. Raises Invalid ``servicing.words``."""
        kept = self.of(deal)
        related = self.assets["related"][rows["asset"]]
        return kept.flags(read_words(rows["payer"]), related, kept.counted_in(rows["received_us"]))

    def outstanding(self, deal: str) -> Ints:
        """What is outstanding on every asset after all that was collected of this deal's [micro-dollars]."""
        found: Ints = self.assets["balance_usdc_micro"] - self.of(deal).awaited(len(self.assets))
        return found

    def check_report(self, fact: AssetsReported, rows: Columns, at_us: int) -> None:
        """That a tape is of every asset the deal holds, and of the next period.

        Raises:
            Refused: ``tape.period``, ``tape.incomplete``, ``tape.early``. Invalid: ``tape.fields``. As `check_may`.
        """
        self.check_may(fact.deal, fact.by, DealRole.SERVICER, DealRole.BACKUP_SERVICER)
        deal = self.of(fact.deal)
        if fact.period < deal.period_open or fact.as_of_us != deal.periods.of(fact.period).stop_us:
            hint = f"The next tape is of period {deal.period_open}, as of its end; a closed one is never restated."
            raise Refused("tape.period", "The tape is of another period.", hint=hint, period=fact.period)
        if at_us < fact.as_of_us:
            raise Refused("tape.early", "A tape is told when its period is over.", period=fact.period)
        if not np.array_equal(rows["asset"], self.assets.live(fact.deal)):
            raise Refused("tape.incomplete", "A tape says of every asset of the deal, in order, how it stands.")
        if (rows["balance_usdc_micro"] < 0).any() or (rows["balance_usdc_micro"] > USDC_MICRO_MAX).any():
            raise Invalid("tape.fields", "A balance is from 0 up.")
        if (rows["past_due_days"] < 0).any():
            raise Invalid("tape.fields", "Days past due are from 0 up.")

    def check_mark(self, fact: MarkSet, at_us: int) -> None:
        """That a mark may be set.

        Raises:
            Conflict: ``mark.late`` where a period of a deal is complete with another value of then: none is restated.
            As `Marks.check`, and for a builder's milestone `check_may`.
        """
        self.marks.check(fact, at_us)
        builder = fact.name.removesuffix(MILESTONE)
        if builder != fact.name and builder in self.deals:
            self.check_may(builder, fact.by, DealRole.TRUSTEE, DealRole.SERVICER, DealRole.BACKUP_SERVICER)
            return
        for name, deal in self.deals.items():
            if deal.reads(fact.name) and self.marks.spoke(fact.name, deal.complete_since(fact.as_of_us)):
                hint = "A published value stands; publish the next one, as of a later instant."
                raise Conflict("mark.late", f"{fact.name} had a value in a period told.", hint=hint, deal=name)

    def check_dispute(self, fact: AssetDisputed) -> None:
        """That a dispute may be entered.

        Raises:
            Conflict: ``dispute.known``. Invalid: ``dispute.amount``. As `check_may`, `Pooled.check_held`, ``Bills``.
        """
        self.check_may(fact.deal, fact.by, DealRole.SERVICER, DealRole.BACKUP_SERVICER)
        deal = self.of(fact.deal)
        if not fact.dispute or fact.dispute in deal.disputes or fact.dispute in deal.disputes_ended:
            raise Conflict("dispute.known", "A dispute of this name is recorded already.", dispute=fact.dispute)
        number = np.array([self.assets.number(fact.asset)])
        self.assets.check_held(fact.deal, number)
        if fact.bill != NO_BILL:
            self.bills.check_of(np.array([fact.bill]), number)
        if not 0 < fact.usdc_micro <= USDC_MICRO_MAX - int(self.assets["disputed_usdc_micro"][number[0]]):
            raise Invalid("dispute.amount", "What is disputed is an amount above 0.")

    def check_resolve(self, fact: DisputeResolved) -> None:
        """That a dispute may end so.

        Raises:
            NotFound: ``dispute.unknown``. Refused: ``dispute.credit`` where the outcome and the amount do not agree.
            As `check_may`, `Bills.check_open`.
        """
        self.check_may(fact.deal, fact.by, DealRole.SERVICER, DealRole.BACKUP_SERVICER, DealRole.TRUSTEE)
        dispute = self.of(fact.deal).disputes.get(fact.dispute)
        if dispute is None:
            raise NotFound("dispute.unknown", "No such dispute is open.", dispute=fact.dispute)
        credit, full = fact.credited_usdc_micro, dispute.usdc_micro
        agrees = {DisputeOutcome.UPHELD: credit == full, DisputeOutcome.REJECTED: credit == 0}
        if not agrees.get(fact.outcome, 0 < credit < full):
            hint = "Upheld: all of it is credited; rejected: none; settled: a part."
            raise Refused("dispute.credit", "The outcome and the amount do not agree.", hint=hint)
        if credit and dispute.bill != NO_BILL:
            self.bills.check_open(np.array([dispute.bill]), np.array([credit]))

    def check_write_off(self, fact: AssetsWrittenOff, rows: Columns) -> None:
        """That no more is written off than is outstanding; Refused ``writeoff.beyond``, as the others."""
        self.check_may(fact.deal, fact.by, DealRole.SERVICER, DealRole.BACKUP_SERVICER)
        assets = rows["asset"]
        self.assets.check_held(fact.deal, assets)
        _check_once(assets)
        left = self.outstanding(fact.deal)[assets]
        if (rows["usdc_micro"] <= 0).any() or (rows["usdc_micro"] > left).any():
            row = int(np.argmax((rows["usdc_micro"] <= 0) | (rows["usdc_micro"] > left)))
            name = self.assets.names[int(assets[row])]
            raise Refused("writeoff.beyond", f"{name} has {left[row]} micro-dollars outstanding.", row=row, asset=name)

    def check_appoint(self, fact: RoleAppointed) -> None:
        """That somebody may be appointed.

        Raises:
            Refused: ``role.sponsor_attests`` where one would be sponsor and attester, or sponsor and trustee.
            NotFound: ``role.not_held`` where whom it replaces holds no seat. Conflict: ``role.held``. As `check_may`.
        """
        roles = self.of(fact.deal).roles
        self.check_may(fact.deal, fact.by, DealRole.SPONSOR, DealRole.TRUSTEE)
        apart = (DealRole.ATTESTER, DealRole.TRUSTEE)
        others = apart if fact.role is DealRole.SPONSOR else (DealRole.SPONSOR,) if fact.role in apart else ()
        if not fact.account or any(fact.account in roles.get(role, ()) for role in others):
            hint = "Who brings a deal neither attests its measures nor holds it in trust."
            raise Refused("role.sponsor_attests", "These two roles never meet in one hand.", hint=hint)
        if fact.account in roles.get(fact.role, ()):
            raise Conflict("role.held", f"{fact.account} holds this role already.", deal=fact.deal)
        if fact.replaces and fact.replaces not in roles.get(fact.role, ()):
            raise NotFound("role.not_held", f"{fact.replaces} does not hold this role.", deal=fact.deal)

    def check_unseat(self, fact: AttesterUnseated) -> None:
        """That an attester may leave. Raises NotFound ``role.not_held``; as `check_may`."""
        self.check_may(fact.deal, fact.by, DealRole.SPONSOR, DealRole.TRUSTEE)
        if fact.account not in self.of(fact.deal).roles.get(DealRole.ATTESTER, ()):
            raise NotFound("role.not_held", f"{fact.account} does not hold this role.", deal=fact.deal)

    def check_call(self, fact: CallExercised) -> None:
        """That a call is one of the deal's and was not exercised before; its price arrives in the first account.

        Raises:
            NotFound: ``call.unknown``. Conflict: ``call.exercised``. Refused: ``collection.transfers``,
            ``collection.payer``.
        """
        deal = self.of(fact.deal)
        if fact.call not in {one.name for one in deal.deal.calls}:
            raise NotFound("call.unknown", f"The deal has no call {fact.call}.", deal=fact.deal)
        if fact.call in deal.called:
            raise Conflict("call.exercised", f"{fact.call} was exercised already.", deal=fact.deal)
        self._check_sources(fact.transfers)
        if fact.period < deal.period_open or fact.price_usdc_micro != _arrived(fact.deal, deal, fact.transfers):
            raise _transfers_differ()

    def _check_kinds(self, deal: str, rows: Columns) -> None:
        principal = rows["kind"] == COLLECTION_KINDS.index(CollectionKind.PRINCIPAL)
        received = np.zeros(len(self.assets), dtype=np.int64)
        np.add.at(received, rows["asset"][principal], rows["usdc_micro"][principal])
        if (received > self.outstanding(deal))[rows["asset"]].any():
            hint = "What is paid beyond the balance is interest, revenue or a recovery."
            raise Refused("collection.principal", "More principal than is outstanding on an asset.", hint=hint)
        recovery = rows["kind"] == COLLECTION_KINDS.index(CollectionKind.RECOVERY)
        if (self.assets["written_off_usdc_micro"][rows["asset"][recovery]] == 0).any():
            hint = "Write the asset off first."
            raise Refused("collection.no_loss", "A recovery is on an asset that was written off.", hint=hint)

    def _check_transfers(self, fact: CollectionsMatched, rows: Columns) -> None:
        """The dollars arrive in the first account; who pays from an account of its own is said to be the payer."""
        deal = self.of(fact.deal)
        if _arrived(fact.deal, deal, fact.transfers) != total(rows["usdc_micro"]):
            raise _transfers_differ()
        self._check_sources(fact.transfers)
        payers = np.array(read_words(rows["payer"]), dtype=object)
        for one in {*deal.roles.get(DealRole.SPONSOR, ()), *deal.paid}:
            moved = sum(transfer.usdc_micro for transfer in fact.transfers if transfer.source == one)
            if moved and moved != total(rows["usdc_micro"][payers == one]):
                raise _transfers_differ()

    def _check_sources(self, transfers: tuple[Transfer, ...]) -> None:
        """What a deal holds, or owes its payees, leaves it by its waterfall and by their pulls alone."""
        for one in transfers:
            owner = next((deal for deal in self.deals if one.source.startswith(f"{deal}/")), None)
            if owner is not None:
                hint = "Name who paid; dollars of a deal move by its waterfall."
                raise Refused("collection.payer", f"{one.source} is an account of a deal.", hint=hint, deal=owner)


def _arrived(name: str, deal: Serviced, transfers: tuple[Transfer, ...]) -> int:
    """What transfers bring into the deal's first account; -1 where one goes elsewhere."""
    first = f"{name}/{deal.deal.accounts[0].name}"
    if any(one.target != first for one in transfers):
        return -1
    return sum(one.usdc_micro for one in transfers)


def _transfers_differ() -> Refused:
    hint = "They are as much as the rows, go to the deal's first account, and come from who the rows say paid."
    return Refused("collection.transfers", "The dollars are not those of the rows.", hint=hint)


def _check_payments(fact: CollectionsMatched, rows: Columns, at_us: int) -> None:
    bad = (rows["usdc_micro"] <= 0) | (rows["usdc_micro"] > USDC_MICRO_MAX) | (rows["received_us"] < 0)
    bad |= (rows["kind"] >= len(COLLECTION_KINDS)) | (rows["flag"] >= len(FLAGS)) | (rows["bill"] < NO_BILL)
    if not len(bad) or bad.any() or not fact.reference or total(rows["usdc_micro"]) > SUM_MAX:
        hint = "Each is of an amount above 0 and of a known kind; together they have a reference."
        raise Invalid("collection.fields", "A payment has a field that cannot be.", hint=hint)
    if (rows["received_us"] > at_us).any():
        raise Refused("collection.ahead", "A payment was received later than now.", at_us=at_us)


def _check_once(assets: Column) -> None:
    if len(np.unique(assets)) != len(assets):
        raise Invalid("asset.twice", "An asset stands in two rows.")

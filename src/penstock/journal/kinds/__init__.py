"""Every kind of fact the journal can hold, and the upcasters of their older versions."""

from __future__ import annotations

from typing import Final

from penstock.journal.fact import Kinds
from penstock.journal.kinds import capital, chain, compute, energy, ledger

KINDS: Final = Kinds(
    [
        ledger.WorkspaceOpened,
        ledger.AccountOpened,
        ledger.RegisterOpened,
        ledger.CheckpointSigned,
        energy.SiteRegistered,
        energy.DeviceEnrolled,
        energy.PacketsReceived,
        energy.ReadingsVerified,
        energy.TitlesIssued,
        energy.SpansLinked,
        energy.TitlesMoved,
        compute.RackRegistered,
        compute.CreditsOffered,
        compute.CreditsSold,
        compute.AnswersServed,
        compute.CreditsRedeemed,
        capital.DealOriginated,
        capital.DealLaunched,
        capital.CollectionReceived,
        capital.ReportAttested,
        capital.PeriodClosed,
        capital.IncomePulled,
        capital.IncomeWithdrawn,
        chain.ChainAdopted,
        chain.CheckpointAnchored,
    ]
)

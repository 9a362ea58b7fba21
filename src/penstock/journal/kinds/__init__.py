"""Every kind of fact the journal can hold, and the upcasters of their older versions."""

from __future__ import annotations

from typing import Final

from penstock.journal.fact import Kinds
from penstock.journal.kinds import capital, chain, command, compute, device, energy, ledger, quarantine, upkeep
from penstock.journal.kinds.upcasters import UPCASTERS

KINDS: Final = Kinds(
    [
        ledger.WorkspaceOpened,
        ledger.AccountOpened,
        ledger.RegisterOpened,
        ledger.CheckpointSigned,
        energy.SiteRegistered,
        energy.DeviceEnrolled,
        energy.DevicesEnrolled,
        device.KeyRotated,
        device.KeyRevoked,
        device.KeyReclaimed,
        device.DeviceTransferred,
        device.MeterReplaced,
        device.RegisterCorrected,
        device.EpochOpened,
        device.PointPlaced,
        device.DeviceLocked,
        device.DeviceRetired,
        command.CommandAsked,
        command.CommandAnswered,
        energy.PacketsReceived,
        energy.ReadingsVerified,
        energy.TitlesIssued,
        energy.SpansLinked,
        energy.TitlesMoved,
        quarantine.ReadingsReviewed,
        quarantine.QuarantineLifted,
        quarantine.GapAccepted,
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
        upkeep.ReadingsErased,
        upkeep.SegmentsCompacted,
    ],
    UPCASTERS,
)

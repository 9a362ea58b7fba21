"""Published tables: what a standard accelerator is, and what an hour of one yields of a model.

Versions follow each other from 1; an older one stays readable in the journal, the newest one counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from penstock.errors import Conflict, Invalid, NotFound
from penstock.journal.kinds.capacity import ConversionPublished, SkuPublished
from penstock.journal.words import Unit
from penstock.money import share_down, share_up

CREDIT_UNITS = (Unit.TOKENS, Unit.MS, Unit.REQUESTS)
"""What a credit can promise."""


@dataclass(slots=True)
class Tables:
    """The newest version of each SKU and each conversion, by name."""

    skus: dict[str, SkuPublished] = field(default_factory=dict)
    conversions: dict[str, ConversionPublished] = field(default_factory=dict)

    def sku(self, name: str) -> SkuPublished:
        """A standard accelerator; NotFound ``sku.unknown``."""
        if name not in self.skus:
            raise NotFound("sku.unknown", "No such accelerator is published.", sku=name)
        return self.skus[name]

    def conversion(self, name: str) -> ConversionPublished:
        """A conversion; NotFound ``conversion.unknown``."""
        if name not in self.conversions:
            raise NotFound("conversion.unknown", "No such conversion is published.", conversion=name)
        return self.conversions[name]

    def check_sku(self, fact: SkuPublished) -> None:
        """That an accelerator may be published so.

        Raises:
            Invalid: ``sku.terms``. Conflict: ``sku.version`` unless it follows the version before.
        """
        figures = (fact.memory_mib, fact.kernel_us)
        if not _named(fact.sku, fact.interconnect, fact.kernel, fact.source) or min(figures) < 1:
            raise Invalid("sku.terms", "An accelerator has a name, memory, interconnect, a kernel's time and a source.")
        if not 0 <= fact.tolerance_bp <= 10_000:
            raise Invalid("sku.terms", "A kernel's tolerance is 0 to 10,000 basis points.", sku=fact.sku)
        due = _due(self.skus.get(fact.sku))
        if fact.version != due:
            raise Conflict("sku.version", f"The next version of {fact.sku} is {due}.", version=fact.version)

    def check_conversion(self, fact: ConversionPublished) -> None:
        """That a conversion may be published so.

        Raises:
            Invalid: ``conversion.terms``. NotFound: ``sku.unknown``. Conflict: ``conversion.version``.
        """
        named = _named(fact.conversion, fact.model, fact.precision, fact.slo, fact.source)
        if not named or fact.units_per_accelerator_hour < 1 or fact.unit not in CREDIT_UNITS:
            hint = "Name the model, precision, service level and source; units are tokens, ms or requests, above 0."
            raise Invalid("conversion.terms", "A conversion says what an accelerator-hour yields.", hint=hint)
        self.sku(fact.sku)
        due = _due(self.conversions.get(fact.conversion))
        if fact.version != due:
            sentence = f"The next version of {fact.conversion} is {due}."
            raise Conflict("conversion.version", sentence, version=fact.version)


def accelerator_hours_up(table: ConversionPublished, units: int) -> int:
    """Whole accelerator-hours that ``units`` take."""
    return share_up(units, 1, table.units_per_accelerator_hour)


def units_down(table: ConversionPublished, accelerator_hours: int) -> int:
    """Units that accelerator-hours yield."""
    return share_down(accelerator_hours, table.units_per_accelerator_hour, 1)


def _named(*texts: str) -> bool:
    return all(text.strip() and text.isprintable() for text in texts)


def _due(known: SkuPublished | ConversionPublished | None) -> int:
    return known.version + 1 if known else 1

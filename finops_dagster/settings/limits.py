"""Keys of finops.yaml that bound what is accepted and what is done.

Limits of policy are data beside the Rego.
"""

from __future__ import annotations

from decimal import Decimal

from pydantic import Field

from finops_dagster.settings.types import Section


class LimitSettings(Section):
    """Bounds on what is accepted and on what is done."""

    quarantined_cost_share: Decimal = Field(
        default=Decimal(0), ge=0, le=1, description="Share of a bill's cost that may be set aside."
    )
    quarantined_row_share: Decimal = Field(
        default=Decimal("0.01"),
        ge=0,
        le=1,
        description="Share of a signal delivery's rows that may be set aside.",
    )
    invoice_tolerance: Decimal = Field(
        default=Decimal("0.005"),
        ge=0,
        le=1,
        description="Share by which a bill may differ from its invoice or control total.",
    )
    publication_age_days: int = Field(
        default=3, ge=1, le=60, description="A publication older than this is not decided on."
    )
    open_pull_requests: int = Field(
        default=10, ge=0, le=200, description="Open pull requests at most, over all teams."
    )
    new_pull_requests: int = Field(
        default=2,
        ge=0,
        le=200,
        description="Pull requests opened in an hour (UTC) at most, counted from the forge's own "
        "record by the clock of the run.",
    )
    new_changes: int | None = Field(
        default=None, ge=1, description="Changes newly proposed on a day at most; empty: all."
    )
    new_changes_per_team: int | None = Field(
        default=None,
        ge=1,
        description="Changes newly proposed to one team on a day at most; empty: all.",
    )
    money_per_change: Decimal | None = Field(
        default=None,
        gt=0,
        description="Expected saving a month above which a change is left to a person, in its own "
        "currency; empty: none is.",
    )
    money_per_day: Decimal | None = Field(
        default=None,
        gt=0,
        description="Expected savings a month of what is newly proposed on a day at most, in each "
        "currency; empty: all.",
    )
    min_saving_per_month: Decimal = Field(
        default=Decimal(5),
        ge=0,
        description="Expected saving a proposal needs, in its own currency.",
    )
    min_confidence: float = Field(
        default=0.7, ge=0, le=1, description="Share of the evidence window that was measured."
    )

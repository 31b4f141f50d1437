"""One estate's parts, built from its settings: what Dagster resources hand to the assets.

Building is all that happens here; nothing is read or written until a part is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from pathlib import Path

from finops_dagster.domain.deliveries import Delivery, Source
from finops_dagster.domain.errors import SettingsError
from finops_dagster.domain.periods import known_by
from finops_dagster.domain.protocols import DesiredState, Forge, PolicyJudge
from finops_dagster.settings import Settings, SourceSettings
from finops_dagster.storage.days import DayStore
from finops_dagster.storage.files import Layout
from finops_dagster.storage.lake import Lake
from finops_dagster.storage.ledger import Ledger
from finops_dagster.storage.publication import PublicationStore

PROJECT_ROOT = Path(__file__).resolve().parents[2]
DBT_PROJECT = PROJECT_ROOT / "dbt_project"
POLICIES = PROJECT_ROOT / "policies"


@dataclass(frozen=True)
class Estate:
    """Everything an asset may ask for, of one finops.yaml."""

    settings: Settings

    @cached_property
    def layout(self) -> Layout:
        return Layout(self.settings.state_dir)

    @cached_property
    def lake(self) -> Lake:
        return Lake(self.layout)

    @cached_property
    def publications(self) -> PublicationStore:
        return PublicationStore(self.layout.published)

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(self.layout.ledger)

    def cutoff(self, as_of: date) -> datetime:
        """The instant up to which knowledge may be used to decide for `as_of`."""
        return known_by(as_of, self.settings.decide_at)

    def is_replay(self, as_of: date) -> bool:
        """A day before the one now decided is decided again, never acted on."""
        return as_of != self.settings.decided_day()

    def day(self, as_of: date) -> DayStore:
        """Where insights and decisions of `as_of` are kept: replays apart from the live day."""
        if self.is_replay(as_of):
            return DayStore(self.layout.replay(self.judge.bundle, as_of))
        return DayStore(self.layout.insight(as_of))

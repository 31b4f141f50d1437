"""One estate's parts, built from its settings: what Dagster resources hand to the assets.

Building is all that happens here; nothing is read or written until a part is asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from pydantic import BaseModel

from finops_dagster.defs.asked import open_asked
from finops_dagster.desired_state import (
    READ_SUFFIXES,
    RepositoryIndex,
    TagKeys,
    index_files,
    open_repository,
)
from finops_dagster.desired_state.history import commit_before, commits_between
from finops_dagster.domain.allocation import Allocation
from finops_dagster.domain.changes import Commit
from finops_dagster.domain.decisions import Abstained, DeclaredResource, Rung, Waiting
from finops_dagster.domain.deliveries import Delivery
from finops_dagster.domain.errors import SettingsError
from finops_dagster.domain.ids import content_id
from finops_dagster.domain.periods import known_by
from finops_dagster.domain.pull_requests import PullRequest
from finops_dagster.domain.rates import Rates
from finops_dagster.domain.schemas import LANDING_TABLES
from finops_dagster.gitops.actions import Event
from finops_dagster.gitops.breaker import Trip
from finops_dagster.gitops.git_objects import Author
from finops_dagster.gitops.local.forge import LocalForge
from finops_dagster.gitops.signing import Signer
from finops_dagster.policy.beside import JointJudge, load_beside
from finops_dagster.policy.bundle import RegoBundle
from finops_dagster.policy.engine import RegoEngine
from finops_dagster.policy.judges import BundleJudge, RegorusJudge
from finops_dagster.policy.opa import OpaRestJudge
from finops_dagster.settings import (
    DesiredStateSettings,
    FormattedSettings,
    RunSettings,
    Settings,
    SourceSettings,
    TelemetrySettings,
    TokenUsageSettings,
    child_environment,
    revealed_key,
)
from finops_dagster.sources import (
    FileSource,
    Limits,
    Readable,
    ReadOptions,
    ReadResult,
    open_source,
)
from finops_dagster.sources.allocation import read_allocation
from finops_dagster.sources.private import Privacy, read_policy
from finops_dagster.sources.rates import read_rates
from finops_dagster.storage.days import DayStore
from finops_dagster.storage.files import Layout, project_digest
from finops_dagster.storage.keys import installation_key
from finops_dagster.storage.lake import Lake
from finops_dagster.storage.ledger import Ledger
from finops_dagster.storage.publication import PublicationStore
from finops_dagster.storage.retention import Retention

if TYPE_CHECKING:
    from finops_dagster.gitops.github.client import Access
    from finops_dagster.gitops.github.forge import GitHubForge

PROJECT_ROOT = Path(__file__).resolve().parents[2]
DBT_PROJECT = PROJECT_ROOT / "dbt_project"
_INSTALLED_POLICIES = Path(__file__).resolve().parents[1] / "policies"
POLICIES = _INSTALLED_POLICIES if _INSTALLED_POLICIES.is_dir() else PROJECT_ROOT / "policies"
"""The shipped bundle: in the package where it was installed as a wheel, else in the repository."""

ASKED = "asked"
"""In place of a format: see `asked`."""


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
    def retention(self) -> Retention:
        rules = self.settings.retention
        return Retention(rules.all_days, rules.daily_days, self.settings.decide_at)

    @cached_property
    def models(self) -> str:
        """Names the state of the dbt project: another, and what it built is built again."""
        return project_digest(DBT_PROJECT)

    @cached_property
    def rates(self) -> Rates:
        """Rates of currencies by the settings; none where they name none. Raises SettingsError."""
        path = self.settings.currencies.rates
        return read_rates(path) if path is not None else Rates(())

    @cached_property
    def allocation(self) -> Allocation:
        """Whose costs are, by the settings' file; without one tags say. Raises SettingsError."""
        path = self.settings.allocation
        return read_allocation(path) if path is not None else Allocation()

    @cached_property
    def publications(self) -> PublicationStore:
        return PublicationStore(self.layout.published)

    @cached_property
    def recorded(self) -> PublicationStore:
        """What the ledger tells people as marts: nothing that decides reads them."""
        return PublicationStore(self.layout.recorded)

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(self.layout.ledger)

    @cached_property
    def judge(self) -> JointJudge:
        """The bundle, in this process or on a server, and other people's policies beside it.

        Raises SettingsError for a policy that does not compile; a server is not asked yet.
        """
        asked, bundle = self.settings.policy, self._bundle
        own: BundleJudge = RegorusJudge(bundle)
        if asked.opa_url is not None:
            token = self.settings.opa_token
            own = OpaRestJudge(bundle, asked.opa_url, token.get_secret_value() if token else "")
        return JointJudge(own, [load_beside(one.path, one.parameters) for one in asked.beside])

    @cached_property
    def _bundle(self) -> RegoBundle:
        return RegoBundle.load(self.settings.policies or POLICIES)

    @cached_property
    def rego(self) -> RegoEngine:
        """The bundle in this process, for what its libraries say of a manifest."""
        return self._bundle.engine()

    @property
    def dbt_project(self) -> Path:
        return DBT_PROJECT

    def dbt_environment(self, warehouse: Path) -> dict[str, str]:
        """Environment of a dbt process that writes `warehouse`."""
        return child_environment(FINOPS_WAREHOUSE=str(warehouse))

    def cutoff(self, as_of: date) -> datetime:
        """The instant up to which knowledge may be used to decide for `as_of`.

        When its decision was due; for the day that is decided now, by the wall clock, now: who
        decides late knows more, and the publication says so. A later replay of the day does not.
        """
        due = known_by(as_of, self.settings.decide_at)
        if self.settings.as_of is None and not self.is_replay(as_of):
            return max(due, self._started)
        return due

    @property
    def asks(self) -> bool:
        """Whether APIs are asked: a day that is not decided by the wall clock may not know more."""
        return self.settings.as_of is None

    @cached_property
    def _started(self) -> datetime:
        """One now for all steps of a process."""
        return datetime.now(UTC)

    def now(self) -> datetime:
        """The time that commits and comments carry: an estate with a fixed day lives in it."""
        if self.settings.as_of is not None:
            return self.cutoff(self.settings.as_of)
        return datetime.now(UTC)

    @property
    def acts(self) -> bool:
        """Whether pull requests may be opened: said twice, by `act` and by the autonomy ladder."""
        return self.settings.act and self.settings.autonomy is not Rung.OBSERVE

    def is_replay(self, as_of: date) -> bool:
        """A day before the one now decided is decided again, never acted on."""
        return as_of != self.settings.decided_day()

    def day(self, as_of: date) -> DayStore:
        """Where insights and decisions of `as_of` are kept: replays apart from the live day."""
        if self.is_replay(as_of):
            return DayStore(self.layout.replay(self.judge.bundle, as_of))
        return DayStore(self.layout.insight(as_of))

    def decided(self, as_of: date) -> DayStore | None:
        """The day as it was decided live, else as it was replayed, else None."""
        places = [
            self.layout.insight(as_of),
            self.layout.replay(self.judge.bundle, as_of),
        ]
        for place in places:
            if (place / "verdicts.json").exists():
                return DayStore(place)
        return None

    def report_folder(self, as_of: date) -> Path:
        """Where pages of a day are written."""
        if self.is_replay(as_of):
            return self.day(as_of).root / "report"
        return self.layout.reports(as_of)

    @cached_property
    def _sources(self) -> dict[str, list[Readable]]:
        return {}

    def sources(self, table: str) -> list[Readable]:
        """The sources that deliver a landing table; each remembers the files it has hashed."""
        if table not in self._sources:
            self._sources[table] = self._opened(table)
        return self._sources[table]

    @property
    def _configured(self) -> dict[str, list[tuple[str, SourceSettings]]]:
        """Format and settings of every source, by the landing table it delivers."""
        settings = self.settings
        return {
            "charges": [(one.format, one) for one in settings.billing],
            "measurements": [("telemetry", one) for one in settings.telemetry],
            "intensities": [(one.format, one) for one in settings.carbon],
            "predictions": [(one.format, one) for one in settings.predictions],
            "labels": [(one.format, one) for one in settings.labels],
            "runs": self._runs("runs", "files", "mlflow", "pods"),
            "model_versions": self._runs("model_versions", "versions", "mlflow"),
            "token_usage": [
                ("token_usage" if one.format == "files" else ASKED, one)
                for one in settings.token_usage
            ],
            "business_metrics": [("business_metrics", one) for one in settings.business_metrics],
        }

    def _runs(self, fmt: str, files: str, *asked: str) -> list[tuple[str, SourceSettings]]:
        """Those that tell a table: files of its rows, in the format `fmt`, and those asked."""
        return [
            (fmt if one.format == files else ASKED, one)
            for one in self.settings.runs
            if one.format in (files, *asked)
        ]

    def max_age_hours(self, table: str) -> dict[str, int]:
        """How old the newest delivery may be, of the sources that are held to it."""
        return {
            one.name: one.max_age_hours
            for _, one in self._configured[table]
            if one.max_age_hours is not None
        }

    def _opened(self, table: str) -> list[Readable]:
        settings = self.settings
        limits = Limits(
            quarantined_cost_share=settings.limits.quarantined_cost_share,
            quarantined_row_share=settings.limits.quarantined_row_share,
            invoice_tolerance=settings.limits.invoice_tolerance,
        )
        privacy = self.privacy(table)
        reading = ReadOptions(
            mirror=self._passing_mirror if privacy.masked else self.layout.mirror,
            answers=self.layout.answers,
            privacy=privacy,
        )
        return [
            self._store(one, limits)
            if isinstance(one, TelemetrySettings) and one.format == "prometheus"
            else open_asked(settings, table, one, self.layout.collected, limits, reading)
            if kind == ASKED and isinstance(one, RunSettings | TokenUsageSettings)
            else open_source(
                kind,
                one.name,
                one.path,
                limits,
                replace(reading, secrets=settings.credentials_of(one.name).plain()),
                format_options=one.options if isinstance(one, FormattedSettings) else {},
                folder=settings.folder,
            )
            for kind, one in self._configured[table]
        ]

    def ask(self, table: str, first: date, last: date) -> None:
        """Have APIs asked for what is not kept of [first, last], known from this run's now on.

        Raises Unavailable, SettingsError.
        """
        if self.asks:
            for source in self.sources(table):
                if isinstance(source, FileSource) and source.extraction is not None:
                    source.extraction.fill(first, last, self._started)

    def privacy(self, table: str) -> Privacy:
        """How values of a landing table are treated. Raises SettingsError for a policy or key."""
        path = self.settings.privacy
        policies = [read_policy(path)] if path is not None else []
        return Privacy.of(LANDING_TABLES[table], policies, self._privacy_key)

    def _privacy_key(self) -> bytes:
        key = self.settings.privacy_key
        if key is not None:
            return key.get_secret_value().encode()
        return installation_key(self.layout.privacy_key)

    @property
    def _passing_mirror(self) -> Path:
        """Copies of remote files that hold personal values: gone when the process ends."""
        return Path(self._passing.name)

    @cached_property
    def _passing(self) -> TemporaryDirectory[str]:
        return TemporaryDirectory(prefix="finops-mirror-")

    def _store(self, one: TelemetrySettings, limits: Limits) -> Readable:
        # its HTTP client is loaded only where a store is asked: definitions load without it
        from finops_dagster.sources.prometheus import (
            Credentials,
            PrometheusOptions,
            PrometheusSource,
        )

        assert one.prometheus is not None
        return PrometheusSource(
            one.name,
            str(one.path),
            PrometheusOptions(**one.prometheus.model_dump()),
            self.layout.mirror / "prometheus",
            Credentials(**self.settings.credentials_of(one.name).revealed()),
            limits,
        )

    def forge(self) -> LocalForge | GitHubForge:
        """The host of the desired state. Raises SettingsError where none is named."""
        settings = self.settings.desired_state
        if settings is None:
            raise SettingsError("finops.yaml names no desired_state, so there is no forge.")
        if settings.forge == "local":
            return LocalForge(
                settings.repository,
                now=self.now(),
                branch=settings.branch,
                author=self._author,
                signer=self._signer,
            )
        # its client takes a tenth of the time that the definitions take to load
        from finops_dagster.gitops.github.answers import Answers
        from finops_dagster.gitops.github.forge import GitHubForge

        return GitHubForge(
            settings.api_url,
            settings.repository,
            self._github_access(settings),
            now=self.now(),
            branch=settings.branch,
            author=self._author,
            answers=Answers(self.layout.mirror / "github"),
            signer=self._signer,
        )

    @property
    def _author(self) -> Author:
        """Who commits to the desired state."""
        settings = self.settings.pull_requests
        return Author(settings.commit_name, settings.commit_email)

    @property
    def _signer(self) -> Signer | None:
        """What signs these commits; None where no key is given."""
        settings = self.settings
        key = revealed_key(
            settings.commit_signing_key,
            settings.commit_signing_key_file,
            "FINOPS_COMMIT_SIGNING_KEY",
        )
        return Signer(key) if key else None

    def _github_access(self, settings: DesiredStateSettings) -> Access:
        """The token, or the App that the settings name. Raises SettingsError without a key."""
        from finops_dagster.gitops.github.client import App

        if settings.app_id is None or settings.installation_id is None:
            token = self.settings.github_token
            if token is None:
                raise SettingsError(
                    "The forge is GitHub, but no token is set: put it in FINOPS_GITHUB_TOKEN."
                )
            return token.get_secret_value()
        key = revealed_key(
            self.settings.github_app_key,
            self.settings.github_app_key_file,
            "FINOPS_GITHUB_APP_KEY",
        )
        if not key:
            raise SettingsError(
                f"The forge is GitHub with the App {settings.app_id}, but its private key is not "
                "set: put it in FINOPS_GITHUB_APP_KEY or name its file in "
                "FINOPS_GITHUB_APP_KEY_FILE."
            )
        return App(settings.app_id, settings.installation_id, key)

    def index(self, as_of: date) -> RepositoryIndex | None:
        """The desired state as it was for `as_of`; None where the settings name none.

        For the day now decided that is the branch's head; for a past day the newest commit then.
        """
        settings = self.settings.desired_state
        if settings is None:
            return None
        if not self.is_replay(as_of):
            return self._index_of(self.forge().head(settings.branch))
        return self.index_at(self.cutoff(as_of))

    def index_at(self, when: datetime) -> RepositoryIndex | None:
        """The desired state by the newest commit then; None where there was none or none is named.

        Raises SettingsError or Unavailable.
        """
        settings = self.settings.desired_state
        if settings is None:
            return None
        forge = self.forge()
        if isinstance(forge, LocalForge):
            commit = commit_before(Path(settings.repository), settings.branch, when)
        else:
            commit = forge.commit_before(settings.branch, when)
        return self._index_of(commit) if commit is not None else None

    def commits_between(
        self, since: datetime, until: datetime, files: Sequence[str]
    ) -> list[Commit]:
        """Commits that touch any of `files`, oldest first. Raises as index_at."""
        settings, forge = self.settings.desired_state, self.forge()
        assert settings is not None  # else there is no forge
        if isinstance(forge, LocalForge):
            repository = Path(settings.repository)
            return commits_between(repository, settings.branch, since, until, files)
        return forge.commits_between(settings.branch, since, until, files)

    def _index_of(self, commit: str) -> RepositoryIndex:
        if commit not in self._indexes:
            settings, forge, tags = self.settings.desired_state, self.forge(), self.settings.tags
            assert settings is not None  # else there is no forge
            keys = TagKeys(
                owner=tags.team, cost_center=tags.cost_center, environment=tags.environment
            )
            earlier = next(reversed(self._indexes.values()), None)
            self._indexes[commit] = (
                open_repository(Path(settings.repository), commit, keys, earlier)
                if isinstance(forge, LocalForge)
                else index_files(
                    forge.files(commit, READ_SUFFIXES, self._blobs), commit, keys, earlier
                )
            )
        return self._indexes[commit]

    @cached_property
    def _blobs(self) -> dict[str, bytes]:
        """Files that GitHub was asked for, by their ids: the same in most commits."""
        return {}

    @cached_property
    def _indexes(self) -> dict[str, RepositoryIndex]:
        """One index per commit: a commit never changes."""
        return {}

    def declared(self, as_of: date) -> Mapping[str, DeclaredResource]:
        """Declared resources by name; empty where the settings name no desired state."""
        index = self.index(as_of)
        return index.resources() if index is not None else {}

    def undecided(self, as_of: date) -> frozenset[str]:
        """Resources that could not be judged for a day, or whose change only waits for room under
        its limits: their pull requests are left alone.
        """
        day = self.day(as_of)
        unjudged = {
            one.subject.split(" ", 1)[0]
            for name in ("findings", "change_sets")
            for one in day.items(f"{name}_abstained", Abstained)
        }
        return frozenset(
            unjudged | {one.resource for one in day.items("proposals_waiting", Waiting)}
        )

    def record(self, as_of: date, kind: str, items: Sequence[BaseModel]) -> None:
        """Append what was decided to the ledger; a replay is kept apart and leaves it alone."""
        if not self.is_replay(as_of):
            self.ledger.append(
                kind, [(content_id(kind, one), one) for one in items], datetime.now(UTC)
            )

    def record_events(self, events: Sequence[Event]) -> None:
        """Append what a run did and what people decided; what is told again is not repeated."""
        for kind in ("human_decision", "action"):
            self.ledger.append(
                kind,
                [(content_id(kind, one), one) for one in events if one.kind == kind],
                datetime.now(UTC),
            )

    def record_trips(self, trips: Sequence[Trip]) -> None:
        """Append where the circuit breaker opened; while it stays open that is not repeated."""
        self.ledger.append(
            "breaker",
            [(content_id("breaker", asdict(one)), asdict(one)) for one in trips],
            datetime.now(UTC),
        )

    def record_pull_requests(self, pull_requests: Sequence[PullRequest]) -> None:
        """Append every pull request in the state it is in; one already there is not repeated."""
        self.ledger.append(
            "pull_request",
            [(content_id("pull_request", one), one) for one in pull_requests],
            datetime.now(UTC),
        )

    def read(self, delivery: Delivery) -> ReadResult:
        """Open one delivery of one of the sources."""
        for source in self.sources(delivery.table):
            if source.name == delivery.source:
                return source.read(delivery)
        raise KeyError(delivery.source)

"""finops.yaml and the environment, typed, bounded and described: the only reader of either.

What lives here is what a person may set and how it is read. What a setting means is the business
of the package that it is handed to.
"""

from finops_dagster.settings.desired_state import DesiredStateSettings
from finops_dagster.settings.environment import (
    child_environment,
    environment_config,
    hide_secrets,
    name_warehouse,
    telemetry_off,
    unknown_variables,
)
from finops_dagster.settings.keys import revealed_key
from finops_dagster.settings.language_models import LanguageModelSettings
from finops_dagster.settings.limits import LimitSettings
from finops_dagster.settings.model import (
    CONFIG_NAME,
    CurrencySettings,
    ReportClock,
    RetentionSettings,
    Settings,
)
from finops_dagster.settings.models import (
    AISettings,
    DeclaredValue,
    EngineSettings,
    ErrorCost,
    ModelLimits,
    ModelSettings,
    ReferenceWindow,
    RemedySettings,
    Task,
)
from finops_dagster.settings.reading import find_config, load
from finops_dagster.settings.sizing import SizingSettings
from finops_dagster.settings.sources import (
    BillingSettings,
    CarbonSettings,
    CredentialSettings,
    FormattedSettings,
    GridSettings,
    LabelSettings,
    LogSettings,
    PredictionSettings,
    PrometheusSettings,
    RunSettings,
    SourceSettings,
    TelemetrySettings,
    TokenUsageSettings,
)
from finops_dagster.settings.tags import TagSettings

__all__ = [
    "CONFIG_NAME",
    "AISettings",
    "BillingSettings",
    "CarbonSettings",
    "CredentialSettings",
    "CurrencySettings",
    "DeclaredValue",
    "DesiredStateSettings",
    "EngineSettings",
    "ErrorCost",
    "FormattedSettings",
    "GridSettings",
    "LabelSettings",
    "LanguageModelSettings",
    "LimitSettings",
    "LogSettings",
    "ModelLimits",
    "ModelSettings",
    "PredictionSettings",
    "PrometheusSettings",
    "ReferenceWindow",
    "RemedySettings",
    "ReportClock",
    "RetentionSettings",
    "RunSettings",
    "Settings",
    "SizingSettings",
    "SourceSettings",
    "TagSettings",
    "Task",
    "TelemetrySettings",
    "TokenUsageSettings",
    "child_environment",
    "environment_config",
    "find_config",
    "hide_secrets",
    "load",
    "name_warehouse",
    "revealed_key",
    "telemetry_off",
    "unknown_variables",
]

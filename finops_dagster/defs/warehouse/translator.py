"""How dbt resources become Dagster assets: keys, groups and descriptions.

The models themselves live in dbt_project.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtProject

from finops_dagster.defs.jobs import ALLOCATE_JOB, CLOCK_TAG, DECIDE_JOB, LEDGER_JOB
from finops_dagster.defs.shared import OWNERS

_LANDING = "landing"
_LEDGER = "ledger"
_IN_FORCE = "in_force"
"""Source of what is joined of both clocks: their publications."""
_STAGE = "warehouse"
_INSIGHT = "insight"
_CHOSEN = {
    "published": dg.AssetKey([_INSIGHT, "publication"]),
    "desired_state": dg.AssetKey([_INSIGHT, "desired_state"]),
}
"""Sources of what is joined for a day: its publication, and what its repository declares."""


def asset_key(resource: Mapping[str, Any]) -> dg.AssetKey:
    """`landing/<table>` or `ledger/<table>` for sources, `warehouse/<layer>/<name>` for models.

    What is joined of publications belongs to the day that is decided: `insight/<layer>/<name>`.
    """
    if resource["resource_type"] == "source":
        if resource["source_name"] == _IN_FORCE:
            return dg.AssetKey(["publication", resource["meta"]["clock"]])
        if resource["source_name"] in _CHOSEN:
            return _CHOSEN[resource["source_name"]]
        stage = _LEDGER if resource["source_name"] == _LEDGER else _LANDING
        return dg.AssetKey([stage, resource["name"]])
    stage = _INSIGHT if "resources" in resource["tags"] else _STAGE
    return dg.AssetKey([stage, _topic(resource), resource["name"]])


def _topic(resource: Mapping[str, Any]) -> str:
    folders = list(resource["fqn"])[1:-1]
    return str(folders[0]) if folders else "seeds"


class Translator(DagsterDbtTranslator):
    """One translator for every dbt clock.

    `job` is what materialises its models; `checked` the partitions that its tests are told of.
    """

    def __init__(self, job: str, checked: dg.PartitionsDefinition[str] | None = None) -> None:
        self._job = job
        self._checked = checked
        super().__init__(
            settings=DagsterDbtTranslatorSettings(
                enable_asset_checks=True,
                enable_source_tests_as_checks=False,
                # all marts of a publication are one asset
                enable_duplicate_source_asset_keys=True,
            )
        )

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        return asset_key(dbt_resource_props)

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        # what is built of the ledger comes after the stages it tells of
        groups = {LEDGER_JOB: _LEDGER, DECIDE_JOB: _INSIGHT, ALLOCATE_JOB: "allocation"}
        return groups.get(self._job, _STAGE)

    def get_asset_check_spec(
        self,
        asset_spec: dg.AssetSpec,
        manifest: Mapping[str, Any],
        unique_id: str,
        project: DbtProject | None,
    ) -> dg.AssetCheckSpec | None:
        spec = super().get_asset_check_spec(asset_spec, manifest, unique_id, project)
        if spec is None or self._checked is None:
            return spec
        return spec._replace(partitions_def=self._checked)

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> Sequence[str] | None:
        owner = dbt_resource_props.get("meta", {}).get("owner")
        return [f"team:{owner}"] if owner else OWNERS

    def get_tags(self, dbt_resource_props: Mapping[str, Any]) -> Mapping[str, str]:
        return {CLOCK_TAG: self._job}

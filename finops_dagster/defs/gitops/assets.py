"""Change sets and pull requests, for the newest decided day alone.

What is written where lives in gitops; this stage decides only whether to act.
"""

from dataclasses import asdict, replace

import dagster as dg

from finops_dagster.defs.decision.assets import REPORT, VERDICTS
from finops_dagster.defs.decision.reporting import write_report
from finops_dagster.defs.estate import Estate
from finops_dagster.defs.jobs import CLOCK_TAG, PUBLISH_JOB
from finops_dagster.defs.metadata import link, records_table
from finops_dagster.defs.shared import FORGE_POOL, OWNERS, RETRY
from finops_dagster.domain.decisions import Abstained, ChangeSet, Proposal

CHANGE_SETS = dg.AssetKey(["gitops", "change_sets"])
PULL_REQUESTS = dg.AssetKey(["gitops", "pull_requests"])

DONE = ("opened", "updated", "closed", "unchanged", "deferred", "withheld", "automerged")
"""Kinds of actions, as `Actions` names them."""


def build_gitops() -> list[dg.AssetsDefinition]:
    """The assets of stage gitops; none is partitioned, so no backfill reaches them."""
    tags = {CLOCK_TAG: PUBLISH_JOB}

    @dg.asset(
        key=CHANGE_SETS,
        description="The exact edits of each proposal at the newest commit of the desired state.",
        group_name="gitops",
        owners=OWNERS,
        kinds={"git"},
        deps=[dg.AssetDep(VERDICTS, partition_mapping=dg.LastPartitionMapping())],
        tags=tags,
    )
    def change_sets(estate: dg.ResourceParam[Estate]) -> dg.MaterializeResult:
        from finops_dagster.gitops.changes import plan_change_set

        as_of = estate.settings.decided_day()
        day = estate.day(as_of)
        index = estate.index(as_of)
        planned: list[ChangeSet] = []
        left: list[Abstained] = []
        settings = estate.settings.desired_state
        made = day.items("proposals", Proposal)
        for proposal in made:
            if index is None or settings is None:
                reason = "no desired state is named in the settings"
                left.append(Abstained(subject=proposal.resource, reason=reason))
                continue
            plan = plan_change_set(
                proposal, index, settings.allowed_paths, estate.settings.ai.cards_folder
            )
            if isinstance(plan, Abstained):
                left.append(plan)
            else:
                planned.append(plan)
        day.write_items("change_sets", planned)
        day.write_items("change_sets_abstained", left)
        estate.record(as_of, "change_set", planned)
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": len(planned),
                "rows_in": len(made),
                "edits": records_table(
                    [
                        {"file": edit.file, "before": edit.before, "after": edit.after}
                        for plan in planned
                        for edit in plan.edits
                    ]
                ),
                "not_planned": records_table([one.model_dump() for one in left]),
            }
        )

    @dg.asset(
        key=PULL_REQUESTS,
        description="Opens, updates and closes pull requests if settings say `act: true`; else "
        "lists what it would do. Running it again changes nothing.",
        group_name="gitops",
        owners=OWNERS,
        kinds={"git"},
        # last of all: it writes the day's report once more, with what it opened
        deps=[CHANGE_SETS, dg.AssetDep(REPORT, partition_mapping=dg.LastPartitionMapping())],
        pool=FORGE_POOL,
        retry_policy=RETRY,
        tags=tags,
    )
    def pull_requests(estate: dg.ResourceParam[Estate]) -> dg.MaterializeResult:
        from finops_dagster.defs.gitops.publishing import publish

        as_of = estate.settings.decided_day()
        day = estate.day(as_of)
        if estate.settings.desired_state is None:
            day.write_document("actions", {})
            return dg.MaterializeResult(
                metadata={"reason": "no desired state is named in the settings"}
            )
        actions, wanted = publish(estate, as_of)
        listed = asdict(replace(actions, events=()))
        events = [one.model_dump(mode="json") for one in actions.events]
        day.write_document("actions", {**listed, "events": events})
        known = estate.forge().pull_requests()
        if actions.acted:
            estate.record_events(actions.events)
            estate.record_trips(actions.trips)
            estate.record_pull_requests(known)
        page = write_report(estate, as_of, known)
        done = {name: listed[name] for name in DONE}
        return dg.MaterializeResult(
            metadata={
                "acted": actions.acted,
                "report": link(estate.layout.root, page),
                "rows_in": wanted,
                **{name: len(items) for name, items in done.items()},
                "actions": records_table(
                    [
                        {
                            "action": name,
                            "title": item["title"],
                            "reason": item["reason"],
                            "url": item["url"],
                        }
                        for name, items in done.items()
                        for item in items
                    ]
                ),
                "notes": records_table([{"note": note} for note in actions.notes]),
                "stopped": records_table(listed["trips"]),
            }
        )

    return [change_sets, pull_requests]

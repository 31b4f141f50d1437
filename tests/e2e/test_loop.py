"""The loop as people and scripts meet it: two runs, the pull requests, every command's answer.

What the numbers are worth is asked in the other modules of this folder.
"""

from __future__ import annotations

import csv
import html
import json
import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import dagster as dg
import pytest

from finops_dagster.domain.schemas import LANDING_TABLES
from tests.e2e.estate import PARTS, SEED, SIGNALS, Answer, World, finops, git

ENVELOPE = {"schema", "as_of", "run_id", "items", "abstained", "errors"}
DECIDED = {
    "id", "kind", "resource", "field", "current", "proposed", "owner", "saving_per_month",
    "carbon_kg_per_month", "risk", "confidence", "evidence",
}  # fmt: skip
PULL_REQUEST = {
    "number", "key", "kind", "resource", "branch", "base_sha", "state", "title", "url", "files",
    "saving_per_month", "carbon_kg_per_month", "verdict", "rules", "fingerprint",
}  # fmt: skip


def answered(answer: Answer, name: str, code: int = 0) -> dict[str, Any]:
    """The promised envelope, alone on stdout, with the promised exit code."""
    assert answer.code == code, answer.err
    document = answer.json
    assert document["schema"] == f"finops.{name}/1"
    assert document.keys() >= ENVELOPE
    return document


def is_money(value: str) -> bool:
    return re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value) is not None


def is_remedy(pull: Mapping[str, Any]) -> bool:
    """Whether it puts an AI model right."""
    return pull["kind"] in ("model_rollback", "model_retrain", "shadow_ai")


@pytest.fixture(scope="module")
def pulls(world: World) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = answered(world.finops("prs", "--json"), "prs")["items"]
    return items


def test_the_first_run_brings_a_bill_to_pull_requests(world: World) -> None:
    """A loop that ends before its pull requests, or that hides what a stage did, is no loop."""
    document = answered(world.first, "run")
    assert document["as_of"] == "2026-10-22"
    assert [stage["stage"] for stage in document["items"]] == [
        "landing", "warehouse", "publication", "insight", "decision", "gitops",
    ]  # fmt: skip
    for stage in document["items"]:
        assert stage["status"] == "done"
        assert stage["seconds"] > 0
        assert stage["peak_rss_bytes"] > 0
        assert stage.keys() >= {"rows_in", "rows_out", "rows_quarantined"}
    landing = document["items"][0]
    assert landing["rows_in"] == landing["rows_out"] + landing["rows_quarantined"] > 100_000
    assert document["publication_id"].startswith("pub-")
    assert document["opened"] >= 5
    assert document["verdicts"]["allow"] >= 5
    assert document["verdicts"]["deny"] >= 1
    assert document["errors"] == []
    assert all(one["subject"] and one["reason"] for one in document["abstained"])


def test_every_mart_tells_how_many_rows_it_has(world: World) -> None:
    """A page without its row count says nothing of whether anything came."""
    home = world.folder / ".finops" / "dagster"
    with dg.DagsterInstance.from_config(str(home)) as instance:
        marts = [key for key in instance.all_asset_keys() if "marts" in key.path]
        told = {key: instance.get_latest_materialization_event(key) for key in marts}
    assert {key.path[0] for key in marts} >= {"warehouse", "insight"}
    silent = [
        key.to_user_string()
        for key, event in told.items()
        if event is not None
        and event.asset_materialization is not None
        and "dagster/row_count" not in event.asset_materialization.metadata
    ]
    assert silent == []
    columns = "dagster/column_lineage"
    traced = told[next(key for key in marts if key.path[-1] == "fct_allocated_costs_daily")]
    assert traced is not None and traced.asset_materialization is not None
    lineage = traced.asset_materialization.metadata[columns].value
    assert lineage.deps_by_column["effective_cost"]


def test_progress_is_told_step_by_step_and_never_among_the_json(world: World) -> None:
    """A script that reads stdout must not meet progress; a person must see where time goes."""
    for step in ("landing/charges", "publication/billing", "gitops/pull_requests"):
        assert re.search(rf"ok +{step} +[0-9.]+ s", world.first.err)


def test_the_second_run_changes_nothing(world: World) -> None:
    """Pull requests opened twice, or a ledger that grows without news, would bury reviewers."""
    first, second = world.first.json, answered(world.second, "run")
    assert (second["opened"], second["updated"], second["closed"]) == (0, 0, 0)
    assert second["unchanged"] == first["opened"] >= 5
    assert world.refs[0] == world.refs[1] == world.refs[2]
    assert second["publication_id"] == first["publication_id"]
    assert second["verdicts"] == first["verdicts"]
    assert world.entries[0] == world.entries[1]


def test_people_are_told_what_was_found_and_that_nothing_was_opened(world: World) -> None:
    """Silence after a second run reads as a failure; a FinOps lead needs the whole picture."""
    assert world.again.code == 0, world.again.err
    text = " ".join(world.again.out.split())
    unchanged = world.second.json["unchanged"]
    assert f"Pull requests: 0 opened, 0 updated, 0 closed, {unchanged} unchanged" in text
    assert "Nothing was opened" in text
    for part in (
        "Usage at effective cost", "forecast", "Gates, landing: 9 pass", "Gates, AI:",
        "Cost incidents", "Findings", "Rightsize CPU", "Proposals by verdict", "Needs approval",
        "report.html", "make ui",
    ):  # fmt: skip
        assert part in text
    (report,) = re.findall(r"Report: (\S+report\.html)", text)
    assert (world.folder / report).exists()


def test_each_pull_request_carries_what_is_promised(
    world: World, pulls: list[dict[str, Any]]
) -> None:
    """Scripts and reviewers rely on these fields; a pull request without money has no point."""
    main = git(world.repository, "rev-parse", "main").strip()
    assert len(pulls) >= 5
    assert [one["number"] for one in pulls] == list(range(1, len(pulls) + 1))
    assert len({one["key"] for one in pulls}) == len(pulls)
    for one in pulls:
        assert one.keys() >= PULL_REQUEST
        assert one["state"] == "open"
        assert one["base_sha"] == main
        assert [file["hunks"] for file in one["files"]] in ([1], [1, 1])
        saving = one["saving_per_month"]
        # what puts an AI model right is for no money, and says so
        assert saving["currency"] in (("XXX",) if is_remedy(one) else ("USD", "EUR"))
        assert all(is_money(saving[end]) for end in ("low", "mid", "high"))
        assert Decimal(saving["low"]) <= Decimal(saving["mid"]) <= Decimal(saving["high"])
        carbon = one["carbon_kg_per_month"]
        assert carbon["low"] <= carbon["mid"] <= carbon["high"]
        assert one["verdict"] in ("allow", "needs_approval")


def test_plain_git_shows_each_pull_request_as_one_changed_line(
    world: World, pulls: list[dict[str, Any]]
) -> None:
    """A change that also touches layout, comments or neighbours is not what was reviewed."""
    in_place = [one for one in pulls if len(one["files"]) == 1 and one["kind"] != "shadow_ai"]
    assert len(in_place) >= 5
    for one in in_place:
        span = f"main..{one['branch']}"
        (commit,) = git(world.repository, "log", "--format=%s", span).splitlines()
        assert commit == one["title"]
        (row,) = git(world.repository, "diff", "--numstat", span).splitlines()
        assert row.split("\t") == ["1", "1", one["files"][0]["path"]]
        diff = git(world.repository, "diff", span)
        assert len(re.findall(r"^@@ ", diff, re.MULTILINE)) == 1
        path = one["files"][0]["path"]
        before = git(world.repository, "show", f"main:{path}").split("\n")
        after = git(world.repository, "show", f"{one['branch']}:{path}").split("\n")
        assert len(before) == len(after)
        ((old, new),) = [(b, a) for b, a in zip(before, after, strict=True) if b != a]
        # all that differs is one value: what is left of it and any comment right of it are the same
        value = r"[\"']?[0-9]+(?:\.[0-9]+)?(?:m|[KMGT]i?)?[\"']?"
        if is_remedy(one):
            value = r"\S+"  # a date, or an image with its version
        parts = [re.split(value, line) for line in (old, new)]
        assert parts[0] == parts[1]
        differing = [
            (b, a)
            for b, a in zip(re.findall(value, old), re.findall(value, new), strict=True)
            if b != a
        ]
        assert len(differing) == 1


def test_plain_git_shows_a_patch_of_an_overlay_as_a_new_file_and_its_line(
    world: World, pulls: list[dict[str, Any]]
) -> None:
    """A value that a base shares, changed where it stands, changes every environment."""
    for one in pulls:
        if len(one["files"]) == 1:
            continue
        span = f"main..{one['branch']}"
        added = {
            path: (int(more), int(less))
            for more, less, path in (
                row.split("\t")
                for row in git(world.repository, "diff", "--numstat", span).splitlines()
            )
        }
        assert set(added) == {file["path"] for file in one["files"]}
        assert {less for _, less in added.values()} == {0}
        new = git(world.repository, "diff", "--name-only", "--diff-filter=A", span).split()
        (listed,) = set(added) - set(new)
        assert len(new) == 1
        assert listed.endswith("/kustomization.yaml")
        assert added[listed][0] in (1, 2)  # with `patches:` where there were none
        patch = git(world.repository, "show", f"{one['branch']}:{new[0]}")
        assert one["resource"].rpartition("/")[2] in patch


def test_a_pull_request_explains_itself(world: World, pulls: list[dict[str, Any]]) -> None:
    """A reviewer who has to ask why, how much, how sure and how to undo will not merge."""
    for number in (1, len(pulls)):
        (item,) = answered(world.finops("pr", "show", str(number), "--json"), "pr")["items"]
        assert item.keys() >= PULL_REQUEST | {"body", "diff"}
        plain = git(world.repository, "diff", f"main...{item['branch']}")
        hunk = plain[plain.index("@@") :]
        assert item["diff"][item["diff"].index("@@") :].strip() == hunk.strip()
        for heading in ("Why", "Evidence", "Expected effect", "Risk", "Policy", "How to undo"):
            assert f"### {heading}" in item["body"]
        assert re.search(r"[0-9,]+ samples over [0-9]+ days", item["body"])
        money = item["saving_per_month"]["currency"]
        assert ("not made for money" if is_remedy(item) else money) in item["body"]
        assert all(rule in item["body"] for rule in item["rules"])
    text = world.finops("pr", "show", "1")
    assert text.code == 0
    assert "### Why" in text.out
    assert "@@" in text.out


@pytest.mark.parametrize("name", ["findings", "proposals", "incidents"])
def test_what_was_decided_is_listed(world: World, name: str) -> None:
    """A decision that cannot be listed cannot be held against anything."""
    document = answered(world.finops(name, "--as-of", "2026-10-22", "--json"), name)
    assert document["as_of"] == "2026-10-22"
    assert len(document["items"]) >= 2
    fields = DECIDED | ({"since", "money", "cause", "dimensions"} if name == "incidents" else set())
    for item in document["items"]:
        assert item.keys() >= fields
        assert is_money(item["saving_per_month"]["mid"])
        assert item["evidence"]["figures"]
    assert len({item["id"] for item in document["items"]}) == len(document["items"])
    undecided = world.finops(name, "--as-of", "2026-10-01", "--json")
    assert answered(undecided, name, 2)["errors"][0]["code"] == "not_decided"


def test_forecasts_are_listed_beside_their_error(world: World) -> None:
    """A number of the future without how far such numbers were off is a guess."""
    document = answered(world.finops("forecasts", "--json"), "forecasts")
    by_scope = defaultdict(list)
    for item in document["items"]:
        by_scope[item["scope"]].append(item)
    assert by_scope.keys() == {"total", "team", "service"}
    assert {item["currency"] for item in by_scope["total"]} == {"USD", "EUR"}
    for item in by_scope["total"]:
        assert len(item["days"]) == 30
        for day in item["days"]:
            ends = [Decimal(day[name]) for name in ("lo95", "lo80", "mean", "hi80", "hi95")]
            assert ends == sorted(ends)
        ours, naive = item["backtest"]
        assert (ours["model"], naive["model"]) == ("ours", "seasonal_naive")
        for row in (ours, naive):
            assert 0 < row["error_share"] < 0.2
            assert 0 <= row["coverage_80"] <= row["coverage_95"] <= 1
        for told in item["explained"]:
            assert told["base"] + sum(told["contributions"].values()) == pytest.approx(told["mean"])
    assert document["model"]["engine"].startswith("forecasting/")
    text = world.finops("forecasts", "--scope", "total")
    assert "All spend" in text.out and "not known" not in text.out
    page = (world.folder / ".finops" / "reports").glob("*/forecasts.html")
    assert next(page).read_text("utf-8").count("<article") == len(document["items"])


def test_an_incident_is_shown_and_answered(world: World) -> None:
    """Who is called asks what, how much, whose, what now; and says whether it was worth it."""
    items = answered(world.finops("incidents", "--json"), "incidents")["items"]
    one = max(items, key=lambda item: len(item["dimensions"]))
    shown = answered(world.finops("incident", "show", one["id"], "--json"), "incident")["items"]
    assert shown == [one]
    assert one["alert"]["incident"] == one["id"]
    assert any(item["alert"]["held"] is None for item in items)
    text = world.finops("incident", "show", one["id"].removeprefix("incident-")[:8]).out
    for word in ("since", "how much", "owner", "what to do", "incidents/"):
        assert word in text
    (page,) = (world.folder / ".finops" / "reports").glob(f"*/incidents/{one['id']}.html")
    assert "What to do" in page.read_text("utf-8")
    report = next((world.folder / ".finops" / "reports").glob("*/report.html")).read_text("utf-8")
    assert f"incidents/{one['id']}.html" in report
    said = answered(world.finops("incident", "noise", one["id"], "--json"), "incident")["items"]
    assert [(word["incident"], word["opinion"]) for word in said] == [(one["id"], "noise")]
    # it counts from the day after the one that it was said of
    assert said[0]["said_at"] > f"{world.first.json['as_of']}T23:59:59Z"
    unknown = world.finops("incident", "useful", "nothing", "--json")
    assert answered(unknown, "incident", 2)["errors"][0]["code"] == "unknown_incident"


def test_a_finding_is_shown_with_its_evidence(world: World) -> None:
    """A saving without the days, the numbers and the risk behind it is not acted on."""
    items = answered(world.finops("findings", "--json"), "findings")["items"]
    one = next(item for item in items if item["proposed"])
    shown = answered(world.finops("finding", "show", one["id"], "--json"), "finding")["items"]
    # of what is proposed it says more: what would have to be true for it not to be
    assert all("counterfactual" in item and item["counterfactual"] for item in shown)
    assert [{**item, "counterfactual": one["counterfactual"]} for item in shown] == [one]
    text = world.finops("finding", "show", one["id"].removeprefix("finding-")[:8]).out
    for word in ("why", "a month", "owner", "risk", "wrong if", "measured", one["proposed"]):
        assert word in text
    unknown = world.finops("finding", "show", "nothing", "--json")
    assert answered(unknown, "finding", 2)["errors"][0]["code"] == "unknown_finding"


def test_marts_are_whole_and_take_conditions_but_no_commands(world: World) -> None:
    """A silently cut answer makes wrong sums; a condition that writes would be an open door."""
    where = "team = 'ledger' and charge_category = 'Usage'"
    document = answered(
        world.finops("marts", "fct_costs_daily", "--where", where, "--json"), "marts"
    )
    assert len(document["items"]) > 1000
    assert document["truncated"] is False
    assert document["publication_id"] == world.first.json["publication_id"]
    assert {row["team"] for row in document["items"]} == {"ledger"}
    assert all(is_money(row["effective_cost"]) for row in document["items"])
    some = world.finops("marts", "fct_costs_daily", "--limit", "3", "--json").json
    assert (len(some["items"]), some["truncated"]) == (3, True)
    for hostile in ("1 = 1; drop table fct_costs_daily", "no_such_column = 1"):
        answer = world.finops("marts", "fct_costs_daily", "--where", hostile, "--json")
        assert answered(answer, "marts", 2)["errors"][0]["code"] == "bad_condition"
    unknown = world.finops("marts", "fct_nothing", "--json")
    assert "fct_costs_daily" in answered(unknown, "marts", 2)["errors"][0]["expected"]


def test_the_index_names_the_bytes_of_each_value(world: World) -> None:
    """An edit is made at these bytes: if they are wrong, another value is changed."""
    document = answered(
        world.finops("desired-state", "index", "gitops.git", "--json"), "desired_state_index"
    )
    assert document["commit"] == git(world.repository, "rev-parse", "main").strip()
    editable = [item for item in document["items"] if item["editable"]]
    assert len(editable) > 100
    assert all(item["reason"] for item in document["items"] if not item["editable"])
    for item in editable[::25]:
        data = git(world.repository, "show", f"main:{item['file']}").encode()
        owned = data[item["start_byte"] : item["end_byte"]].decode()
        assert owned.strip("\"'") == item["value"]
    charts = [item for item in editable if item["file"].startswith("charts/")]
    assert {"Application", "Deployment"} <= {item["resource"].split("/")[0] for item in charts}
    assert all(one["reason"] for one in document["refused"])
    for ending in (".tf", "template.yaml", "serverless.yml"):
        assert any(item["file"].endswith(ending) for item in editable)


def test_set_writes_one_line_or_says_why_not(world: World, tmp_path: Path) -> None:
    """A value set by hand must be as exact as one set by a pull request, or not be set at all."""
    clone = tmp_path / "clone"
    git(world.folder, "clone", "-q", "gitops.git", str(clone))
    field = "spec.template.spec.containers[name=server].resources.requests.cpu"
    wanted = ("--resource", "Deployment/ledger/ledger-api", "--field", field, "--value", "1100m")
    command = ("desired-state", "set", str(clone), *wanted)
    assert "1100m" in finops(tmp_path, *command, "--dry-run").out
    assert git(clone, "status", "--porcelain") == ""
    done = answered(finops(tmp_path, *command, "--json"), "desired_state_set")
    assert done["items"][0]["diff"].count("\n+ ") == 1
    assert [row.split("\t")[:2] for row in git(clone, "diff", "--numstat").splitlines()] == [
        ["1", "1"]
    ]
    refused = finops(
        tmp_path, "desired-state", "set", str(clone), "--resource", "Deployment/ledger/ledger-api",
        "--field", "metadata.name", "--value", "other", "--json",
    )  # fmt: skip
    assert answered(refused, "desired_state_set", 1)["errors"][0]["expected"]
    assert len(git(clone, "diff", "--numstat").splitlines()) == 1


def test_policy_check_denies_with_exit_code_one(world: World, tmp_path: Path) -> None:
    """CI relies on the exit code; a repository that is skipped in silence would always pass."""
    answer = world.finops("policy", "check", "gitops.git", "--format", "json")
    document = answered(answer, "policy_check", 1)
    denied = {item["resource"] for item in document["items"] if item["verdict"] == "deny"}
    assert "Deployment/vision/image-resizer" in denied
    rules = [rule for item in document["items"] for rule in item["rules"]]
    assert all(rule.keys() >= {"id", "title", "actual", "limit", "fix"} for rule in rules)
    assert all(one["file"] and one["reason"] for one in document["refused"])
    sarif = world.finops("policy", "check", "gitops.git", "--format", "sarif")
    assert sarif.code == 1
    assert sarif.json["version"] == "2.1.0"
    assert sarif.json["runs"][0]["results"]
    (tmp_path / "good.yaml").write_text(
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: plain\n  namespace: shop\n"
    )
    good = finops(tmp_path, "policy", "check", "good.yaml", "--format", "json")
    assert [item["verdict"] for item in answered(good, "policy_check")["items"]] == ["allow"]


def test_what_is_allocated_and_what_is_not_are_the_bill(world: World) -> None:
    """A team that is charged what nobody was billed, or a cost that nobody sees, ends all trust."""
    mart = "fct_allocation_conservation"
    rows = answered(world.finops("marts", mart, "--json"), "marts")["items"]
    billed = answered(world.finops("ledger", "conserve", "--json"), "ledger_conserve")["items"]
    assert len(rows) == len(billed)
    bills = {
        (one["period"][:10], one["source"], one["currency"], one["metric"]): Decimal(one["mart"])
        for one in billed
    }
    for row in rows:
        place = (row["billing_period"], row["source"], row["billing_currency"], row["metric"])
        whole = Decimal(row["allocated_total"]) + Decimal(row["unallocated_total"])
        assert whole == Decimal(row["billed_total"]) == bills[place]
        assert Decimal(row["given_total"]) + Decimal(row["received_total"]) == 0
    assert {row["source"] for row in rows if Decimal(row["received_total"])} == {"aws", "azure"}
    teams = answered(world.finops("allocation", "--month", "2026-09", "--json"), "allocation")
    costs = {(one["name"], one["currency"]): one for one in teams["items"]}
    assert Decimal(costs["platform-sre", "USD"]["given"]) < 0
    assert Decimal(costs["search", "USD"]["received"]) > 0
    assert Decimal(costs[None, "USD"]["cost"]) > 0
    assert sum(one["share"] for one in teams["items"] if one["currency"] == "USD") == pytest.approx(
        1
    )


def test_what_was_measured_and_estimated_is_emitted_by_somebody(world: World) -> None:
    """Carbon that is lost or told twice on its way to a team is a report that cannot be signed."""
    rows = answered(world.finops("marts", "fct_carbon_conservation", "--json"), "marts")["items"]
    told = {(row["billing_period"], row["metric"]): row for row in rows}
    for row in rows:
        assert Decimal(row["difference"]) == Decimal(row["measured_difference"]) == 0
    month = "2026-10-01"
    for metric in ("energy_kwh", "location_gco2e", "market_gco2e", "embodied_gco2e"):
        row = told[month, metric]
        for total in ("of_nodes", "assigned", "estimated", "allocated", "unallocated"):
            assert Decimal(row[f"{total}_total"]) > 0, (metric, total)
    said = ("--metric", "location_gco2e", "--month", month[:7], "--json")
    answer = answered(world.finops("allocation", *said), "allocation")
    row = told[month, "location_gco2e"]
    assert sum(Decimal(one["cost"]) for one in answer["items"]) == Decimal(
        row["allocated_total"]
    ) + Decimal(row["unallocated_total"])
    assert {one["currency"] for one in answer["items"]} == {None}
    assert {one["currency"] for one in answer["coverage"]} == {"EUR", "USD"}
    for one in answer["coverage"]:
        assert 0.2 < one["measured_share"] + one["estimated_share"] < 0.9
    where = ("--where", "sci is not null", "--limit", "0", "--json")
    scores = answered(world.finops("marts", "fct_unit_carbon_daily", *where), "marts")["items"]
    assert scores
    assert all(float(one["sci"]) > 0 for one in scores)
    models = answered(world.finops("marts", "fct_model_carbon_daily", "--json"), "marts")["items"]
    assert {one["kind"] for one in models} == {"training", "serving"}
    assert all(Decimal(one["energy_kwh"]) > 0 for one in models if one["energy_kwh"])


def test_nodes_are_parted_into_what_was_used_idle_and_overhead(world: World) -> None:
    """Who is told of idle nodes that are not there, or not of those that are, buys wrongly."""
    rows = answered(world.finops("marts", "fct_cluster_costs_daily", "--json"), "marts")["items"]
    assert {row["cluster"] for row in rows} == {"eks-shared-1"}
    # bills reach further back than the measurements that are landed
    assert {row["reason"] for row in rows} == {None, "the capacity of its nodes was not measured"}
    parts = ("used", "idle", "overhead")
    measured = [row for row in rows if row["reason"] is None]
    assert len({row["charge_date"] for row in measured}) == 28
    for row in measured:
        assert sum(Decimal(row[f"{part}_cost"]) for part in parts) == Decimal(row["node_cost"]) > 0
        assert Decimal(row["control_plane_cost"]) > 0
        assert Decimal(row["network_cost"]) > 0
        assert row["held_gpu_hours"] == row["gpu_hours"] / 2
    truth = json.loads((world.folder / "truth.json").read_text(encoding="utf-8"))
    shares = {item["from"]: item["expected"] for item in truth if item["kind"] == "cluster_idle"}
    told = {row["charge_date"][:10]: row for row in measured if row["metric"] == "billed_cost"}
    assert len(shares) == 7
    for day, expected in shares.items():
        for part in parts:
            share = Decimal(told[day][f"{part}_cost"]) / Decimal(told[day]["node_cost"])
            assert float(share) == pytest.approx(expected[part], abs=1e-6)
    found = answered(
        world.finops("allocation", "--month", "2026-09", "--by", "cost_part", "--json"),
        "allocation",
    )["items"]
    idle = next(one for one in found if one["name"] == "idle")
    assert Decimal(idle["received"]) > 0
    assert Decimal(idle["cost"]) == 0, "all of it is shared by use"


def test_budgets_units_and_charges_add_up_to_what_is_allocated(world: World) -> None:
    """Three tables that each tell another cost of one team end every talk about money."""

    def mart(name: str) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = answered(world.finops("marts", name, "--json"), "marts")[
            "items"
        ]
        return rows

    allocated: dict[tuple[str, str | None, str], Decimal] = defaultdict(Decimal)
    products: dict[tuple[str, str | None, str], Decimal] = defaultdict(Decimal)
    for row in mart("fct_allocated_costs_daily"):
        cost, currency = Decimal(row["effective_cost"]), row["billing_currency"]
        allocated[row["billing_period"], row["team"], currency] += cost
        products[row["billing_period"], row["product"], currency] += cost
    charged: dict[tuple[str, str | None, str], Decimal] = defaultdict(Decimal)
    for row in mart("fct_chargeback_monthly"):
        parts = Decimal(row["effective_cost"]) + Decimal(row["margin"])
        assert parts == Decimal(row["charged"])
        charged[row["billing_period"], row["team"], row["billing_currency"]] += Decimal(
            row["effective_cost"]
        )
    assert charged == allocated

    entries = {row["price_list_entry"] for row in mart("fct_chargeback_monthly")}
    assert entries == {None, "GPU rate", "platform overhead"}
    scopes = {"search": "search", "machine learning": "ml-platform"}
    for row in mart("fct_budgets_monthly"):
        place = (row["billing_period"], row["billing_currency"])
        if row["budget"] == "payments":
            assert Decimal(row["actual"]) == products[place[0], "Pay", place[1]]
            assert (row["reason"] == "the budget is in EUR") == (place[1] == "USD")
        else:
            assert Decimal(row["actual"]) == allocated[place[0], scopes[row["budget"]], place[1]]

    told = 0
    for row in mart("fct_unit_costs_daily"):
        assert (row["unit_cost"] is None) == (row["reason"] is not None)
        if row["unit_cost"] is not None:
            each = Decimal(row["total_cost"]) * row["per"] / Decimal(row["quantity"])
            assert abs(Decimal(row["unit_cost"]) - each) < Decimal("1e-9")
            told += 1
    assert told > 100

    units = answered(world.finops("units", "--json"), "units")["items"]
    (order,) = [one for one in units if one["unit"] == "cost per order"]
    assert order["days"] == 22
    budgets = answered(world.finops("budgets", "--json"), "budgets")["items"]
    state = {one["budget"]: one for one in budgets}
    assert state["search"]["state"] == "within"
    assert state["machine learning"]["state"] == "will exceed"
    assert state["machine learning"]["exceeded_on"] > "2026-10-22"
    assert state["payments"]["reason"].startswith("the forecast ends before")
    for one in budgets:
        expected = one["expected"] or one["expected_by_month_end"]
        assert Decimal(expected["low"]) <= Decimal(expected["mid"]) <= Decimal(expected["high"])
        assert Decimal(expected["low"]) > Decimal(one["actual"])


def test_a_team_has_its_pack(world: World, tmp_path: Path) -> None:
    """What a manager is sent has to be there, whole, and say what the other commands say."""
    answer = world.finops("pack", "--month", "2026-09", "--out", str(tmp_path), "--json")
    pages = {one["team"]: Path(one["page"]) for one in answered(answer, "pack")["items"]}
    assert {"all teams", "search", "ml-platform", "(unallocated)"} <= pages.keys()
    told = answered(
        world.finops("explain", "--team", "search", "--month", "2026-09", "--json"), "explain"
    )["items"][0]
    text = html.unescape(pages["search"].read_text(encoding="utf-8"))
    assert all(line in text for line in told["text"])
    with (pages["search"].parent / "spend.csv").open(encoding="utf-8", newline="") as file:
        spend = sum(Decimal(row["effective_cost"]) for row in csv.DictReader(file))
    assert spend == Decimal(told["cost_after"])
    folder = world.folder / ".finops" / "reports" / "2026-10-22" / "packs" / "2026-09"
    assert (folder / "search" / "pack.html").exists()
    assert "packs/2026-09/index.html" in (folder.parents[1] / "report.html").read_text()
    unknown = world.finops("pack", "--team", "serach", "--out", str(tmp_path), "--json")
    assert "search" in answered(unknown, "pack", 2)["errors"][0]["hint"]


def test_a_changed_cost_is_laid_to_its_planted_cause(world: World) -> None:
    """Who is told that more was used, where a price rose, asks the wrong people."""
    rows = answered(world.finops("marts", "fct_cost_changes_monthly", "--json"), "marts")["items"]
    truth = json.loads((world.folder / "truth.json").read_text(encoding="utf-8"))
    effects = ("price", "quantity", "mix", "shared", "other")
    moved: dict[str, set[tuple[str, ...]]] = {"price": set(), "mix": set()}
    for row in rows:
        parts = {name: Decimal(row[f"{name}_effect"]) for name in effects}
        assert sum(parts.values()) == Decimal(row["change"])
        for effect, places in moved.items():
            if abs(parts[effect]) > Decimal("0.01"):
                places.add((row["billing_period"][:7], row["service_name"], row["team"]))
    for effect, places in moved.items():
        changed = [item for item in truth if item["kind"] == f"cost_anomaly_{effect}"]
        (place,) = {(one["expected"]["service"], one["expected"]["team"]) for one in changed}
        # the month in which it changes has some days as before, the next has none
        months = {month for month, *where in places if tuple(where) == place}
        assert changed[0]["from"][:7] in months
        assert len(months) <= 2
        if effect == "price":
            assert places == {(month, *place) for month in months}
    grown = [
        item
        for item in truth
        if item["kind"] == "cost_anomaly_level_shift" and item["from"] > "2026-09-20"
    ]
    for item in grown:
        (row,) = [
            row
            for row in rows
            if row["billing_period"].startswith("2026-10")
            and row["service_name"] == item["expected"]["service"]
            and row["team"] == item["expected"]["team"]
        ]
        assert Decimal(row["quantity_effect"]) > Decimal("0.8") * Decimal(row["change"]) > 0
    assert grown


def test_a_figure_is_what_its_definition_says(world: World) -> None:
    """Two commands that sum one word in two ways start a quarrel that nobody can settle."""
    marts = answered(world.finops("marts", "fct_commitment_coverage_daily", "--json"), "marts")
    rated = [
        row
        for row in marts["items"]
        if row["coverage"] is not None and row["billing_period"] == "2026-09-01"
    ]
    answer = world.finops("metrics", "commitment_coverage", "--month", "2026-09", "--json")
    told = {row["currency"]: row["value"] for row in answered(answer, "metrics")["items"]}
    for currency in {row["billing_currency"] for row in rated}:
        committed, on_demand = (
            sum(Decimal(row[part]) for row in rated if row["billing_currency"] == currency)
            for part in ("committed_list_cost", "on_demand_list_cost")
        )
        assert told[currency] == pytest.approx(float(committed / (committed + on_demand)))
    assert len(told) == 2
    wrong = answered(world.finops("metrics", "efective_cost", "--json"), "metrics", 2)
    assert "'effective_cost'" in wrong["errors"][0]["hint"]
    teams = answered(world.finops("marts", "dim_teams", "--json"), "marts")["items"]
    assert {row["business_unit"] for row in teams if row["team"] == "search"} == {"retail"}


def test_a_manager_is_told_in_ten_lines_why_a_cost_moved(world: World) -> None:
    """A table of numbers answers nobody who asks why."""
    answer = world.finops("explain", "--team", "checkout", "--month", "2026-09")
    lines = [line for line in answer.out.splitlines() if line.strip()]
    assert answer.code == 0, answer.err
    assert " ".join(lines).startswith("checkout spent")
    document = answered(
        world.finops("explain", "--team", "checkout", "--month", "2026-09", "--json"), "explain"
    )
    (told,) = document["items"]
    assert len(told["text"]) <= 10
    assert sum(map(Decimal, told["effects"].values())) == Decimal(told["change"])
    assert told["month_complete"]
    wrong = answered(world.finops("explain", "--team", "chekout", "--json"), "explain", 2)
    assert "'checkout'" in wrong["errors"][0]["hint"]


def test_kinds_of_ai_costs_are_the_bill_of_ai(world: World) -> None:
    """A cost that is told twice, or not at all, makes every unit cost wrong."""

    def rows(mart: str, where: str = "true") -> list[dict[str, Any]]:
        answer = world.finops("marts", mart, "--json", "--where", where)
        items: list[dict[str, Any]] = answered(answer, "marts")["items"]
        return items

    costs = rows("fct_ai_costs_daily")
    assert {one["kind"] for one in costs} == {"training", "serving", "tokens", "idle_gpu", "other"}
    since = min(one["day"] for one in costs)[:10]
    gpus = {(one["day"], one["resource"]) for one in rows("fct_gpu_idle_daily")}
    serving = {one["resource"] for one in rows("fct_model_serving_costs_daily")}
    told: dict[str, Decimal] = {}
    billed: dict[str, Decimal] = {}
    for one in costs:
        currency = one["billing_currency"]
        told[currency] = told.get(currency, Decimal(0)) + Decimal(one["effective_cost"])
    # runs run where GPUs are measured
    for one in rows("fct_costs_daily", f"charge_date between date '{since}' and date '2026-10-22'"):
        of_ai = one["service_category"] == "AI and Machine Learning"
        if of_ai or one["resource"] in serving or (one["charge_date"], one["resource"]) in gpus:
            currency = one["billing_currency"]
            billed[currency] = billed.get(currency, Decimal(0)) + Decimal(one["effective_cost"])
    assert told == billed
    assert set(told) == {"EUR", "USD"}


def test_tokens_and_predictions_cost_what_was_planted(world: World) -> None:
    """A price that is not found back from the bill and the tokens is no price."""
    tokens = answered(world.finops("marts", "fct_token_costs_daily", "--json"), "marts")["items"]
    prices = {
        # list prices of a million less the discount of the cloud's contract
        ("gemini-2.5-flash", "input"): Decimal("0.2865"),
        ("gemini-2.5-flash", "cached_input"): Decimal("0.02865"),
        ("gemini-2.5-flash", "output"): Decimal("2.3875"),
        ("anthropic.claude-sonnet-4-20250514-v1:0", "output"): Decimal("14.1"),
    }
    found: dict[tuple[str, str], set[str]] = {key: set() for key in prices}
    for one in tokens:
        if one["basis"] == "tokens" and (one["model"], one["token_type"]) in prices:
            found[one["model"], one["token_type"]].add(one["service"])
            price = Decimal(one["effective_cost_per_million_tokens"])
            expected = prices[one["model"], one["token_type"]]
            # shares of tokens have nine decimals
            assert abs(price - expected) < expected / 100_000
    assert all(len(services) >= 2 for services in found.values())
    assert {one["basis"] for one in tokens} == {"tokens", "no_usage", "nothing_billed"}

    costs = {
        by: answered(world.finops("ai", "costs", "--by", by, "--json"), "ai_costs")
        for by in ("kind", "team", "model_version")
    }
    sums = {
        by: sum(Decimal(one["cost"]) for one in told["items"] if one["currency"] == "USD")
        for by, told in costs.items()
    }
    assert sums["kind"] == sums["team"] == sums["model_version"] > 0
    gpus = costs["kind"]["gpus"]
    assert gpus["gpu_hours"] > gpus["idle_gpu_hours"] > 0
    versions = costs["model_version"]["items"]
    of_version = {(one["name"], one["currency"]): one for one in versions}
    # trained in one cloud, and answers in another
    assert Decimal(of_version["credit-risk 2.1.0", "USD"]["training_cost"]) > 0
    scorer = of_version["credit-risk 2.1.0", "EUR"]
    assert scorer["gate"] == "fail" and scorer["quality"] > 0.5
    served = Decimal(scorer["serving_cost"]) + Decimal(scorer["idle_gpu_cost"])
    thousand = Decimal(scorer["cost_per_thousand_predictions"])
    assert abs(thousand * scorer["predictions"] / 1000 - served) < Decimal("0.0001")
    drifted = of_version["churn 1.4.0", "USD"]["drifted_features"]
    assert set(drifted) >= {"support_calls", "tenure_months"}
    assert any(
        Decimal(one["training_cost"]) and "-rc" in (one["name"] or "")
        for one in of_version.values()
    )


def test_an_audit_finds_an_altered_ledger(
    world: World, another_estate: Callable[..., Path]
) -> None:
    """A ledger whose past can be rewritten unseen proves nothing."""
    (chain,) = answered(world.finops("audit", "verify", "--json"), "audit_verify")["items"]
    assert chain["intact"]
    assert chain["entries"] > 50
    folder = another_estate(*PARTS, ".finops/ledger")
    (log,) = [
        path
        for path in sorted((folder / ".finops" / "ledger").rglob("*"))
        if path.suffix in (".jsonl", ".log", ".ndjson")
    ]
    lines = log.read_text(encoding="utf-8").splitlines(keepends=True)
    lines[3] = lines[3].replace("2026-10-22", "2026-10-21", 1)
    log.write_text("".join(lines), encoding="utf-8")
    answer = finops(folder, "audit", "verify", "--json")
    (broken,) = answered(answer, "audit_verify", 1)["items"]
    assert not broken["intact"]
    assert broken["fault"]


def test_the_gates_of_the_models_tell_the_ill_from_the_well(world: World) -> None:
    """A gate that passes all, or fails all, stops no bad model and is soon switched off."""
    reasons = {}
    for model, result in (("credit-risk", "fail"), ("churn", "fail"), ("demand-forecast", "pass")):
        answer = world.finops("ai", "gate", model, "--json")
        (gate,) = answered(answer, "ai_gate", 1 if result == "fail" else 0)["items"]
        assert (gate["gate"], gate["result"]) == (model, result)
        reasons[model] = " ".join(gate["reasons"])
    assert "female" in reasons["credit-risk"]
    assert "support_calls" in reasons["churn"]
    assert "tenure_months" in reasons["churn"]
    assert answered(world.finops("ai", "gate", "nobody", "--json"), "ai_gate", 2)["errors"]


def test_merge_and_close_are_what_git_and_the_list_show(
    another_estate: Callable[..., Path],
) -> None:
    """A merge that git does not show, or a rejection that is forgotten, breaks all trust."""
    folder = another_estate(*PARTS)
    before = git(folder / "gitops.git", "rev-parse", "main")
    (merged,) = answered(finops(folder, "pr", "merge", "1", "--json"), "pr")["items"]
    (closed,) = answered(finops(folder, "pr", "close", "2", "--json"), "pr")["items"]
    assert (merged["state"], closed["state"]) == ("merged", "rejected")
    changed = git(folder / "gitops.git", "diff", "--numstat", f"{before.strip()}..main")
    assert changed.split() == ["1", "1", merged["files"][0]["path"]]
    listed = {item["number"]: item["state"] for item in finops(folder, "prs", "--json").items}
    assert (listed[1], listed[2], listed[3]) == ("merged", "rejected", "open")
    (only,) = finops(folder, "prs", "--state", "merged", "--json").items
    assert only["number"] == 1
    unknown = answered(finops(folder, "pr", "merge", "99", "--json"), "pr", 2)
    assert unknown["errors"][0]["code"] == "unknown_pull_request"
    # what is settled stays settled: nobody can merge what was rejected
    assert finops(folder, "pr", "merge", "2", "--json").code == 1
    assert finops(folder, "prs", "--state", "rejected", "--json").items[0]["number"] == 2


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("act: true", "act: true\nactt: true", ("actt", "unknown_key")),
        ("open_pull_requests: 20", "open_pull_requests: many", ("limits.open_pull_requests", "")),
        ("path: exports/aws", "path: exports/nowhere", ("billing[0].path", "missing_path")),
    ],
)
def test_wrong_settings_name_the_key_and_the_line(
    another_estate: Callable[..., Path], old: str, new: str, told: tuple[str, str]
) -> None:
    """A person who is told only that settings are wrong has to guess which, and where."""
    folder = another_estate("finops.yaml", "allocation.yaml")
    for name in (*SIGNALS, "gitops.git"):
        (folder / name).mkdir()
    for name in ("aws", "azure", "gcp"):
        (folder / "exports" / name).mkdir(parents=True)
    settings = folder / "finops.yaml"
    settings.write_text(settings.read_text().replace(old, new))
    answer = finops(folder, "run", "--json")
    (fault,) = answered(answer, "run", 2)["errors"]
    assert fault["column"] == told[0]
    assert told[1] in fault["code"]
    key = told[0].rsplit(".", 1)[-1]
    assert key in settings.read_text().splitlines()[fault["row"] - 1]
    assert fault["hint"]
    assert key in answer.err
    missing = finops(folder, "run", "--config", "nowhere.yaml", "--json")
    assert answered(missing, "run", 2)["errors"][0]["file"].endswith("nowhere.yaml")


def test_a_forge_that_is_down_is_exit_code_three(another_estate: Callable[..., Path]) -> None:
    """A script that cannot tell a refusal from an outage retries the wrong one."""
    folder = another_estate("finops.yaml", "allocation.yaml")
    for name in (*SIGNALS, "exports/aws", "exports/azure", "exports/gcp"):
        (folder / name).mkdir(parents=True)
    settings = folder / "finops.yaml"
    text = settings.read_text().replace("forge: local", "forge: github")
    text = text.replace("repository: gitops.git", "repository: acme/gitops")
    # port 9 of this machine: nobody listens
    text = text.replace("  branch: main", "  branch: main\n  api_url: http://127.0.0.1:9")
    settings.write_text(text)
    answer = finops(folder, "prs", "--json", FINOPS_GITHUB_TOKEN="not-a-token")
    assert answered(answer, "prs", 3)["errors"]
    assert "not-a-token" not in answer.out + answer.err


def test_the_demo_is_created_once(tmp_path: Path) -> None:
    """A demo that is rebuilt at each call would lose what was merged."""
    command = ("demo", "create", "--seed", str(SEED), "--days", "35", "--out", "estate", "--json")
    (made,) = answered(finops(tmp_path, *command), "demo")["items"]
    assert made["created"]
    truth = json.loads((tmp_path / "estate" / "truth.json").read_text())
    assert all(
        item.keys() == {"kind", "resource", "field", "from", "to", "expected"} for item in truth
    )
    (again,) = answered(finops(tmp_path, *command), "demo")["items"]
    assert not again["created"]
    assert answered(finops(tmp_path, *command[:4], "--days", "1", "--json"), "demo", 1)["errors"]


@pytest.fixture(scope="module")
def instance(another_dagster_home: Path) -> Any:
    with dg.DagsterInstance.from_config(str(another_dagster_home)) as opened:
        yield opened


@pytest.fixture(scope="module")
def another_dagster_home(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    import shutil

    home = tmp_path_factory.mktemp("dagster") / "home"
    shutil.copytree(world.folder / ".finops" / "dagster", home)
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    return home


def test_dagster_has_every_run(instance: dg.DagsterInstance) -> None:
    """A run that the UI does not know cannot be looked into when it goes wrong."""
    runs = instance.get_runs()
    assert {run.status for run in runs} == {dg.DagsterRunStatus.SUCCESS}
    names = [run.job_name for run in runs]
    assert {name: names.count(name) for name in names} == {
        "ingest_billing": 2, "ingest_signals": 2, "allocate": 1, "decide": 2,
        "publish_changes": 3, "ledger_marts": 2,
    }  # fmt: skip


def test_dagster_shows_what_a_person_looks_for(world: World, instance: dg.DagsterInstance) -> None:
    """An asset page without counts, plot or report is a green box that tells nothing."""

    def page(link: Any) -> Path:
        """The file behind a link: the UI serves the state folder under /pages/."""
        assert link.value.startswith("/pages/")
        return world.folder / ".finops" / unquote(link.value.removeprefix("/pages/"))

    def metadata(*path: str) -> dict[str, Any]:
        event = instance.get_latest_materialization_event(dg.AssetKey(list(path)))
        assert event is not None and event.asset_materialization is not None, path
        return dict(event.asset_materialization.metadata)

    rows = metadata("landing", "charges")["dagster/row_count"].value
    assert isinstance(rows, int) and rows > 1000
    assert metadata("insight", "findings")["dagster/row_count"].value >= 10
    for currency in ("EUR", "USD"):
        plot = metadata("insight", "forecasts")[f"plot_{currency}"]
        assert "data:image/png;base64," in plot.value
    assert page(metadata("decision", "report")["report"]).name == "report.html"
    models = metadata("insight", "models")
    for name in ("churn: Evidently", "credit-risk", "cost forecaster: explanations"):
        assert "<html" in page(models[name]).read_text(encoding="utf-8")
    assert metadata("gitops", "pull_requests")["opened"].value == 0


def test_dagster_knows_columns_of_tables(world: World) -> None:
    """A table whose columns the UI does not show has to be looked up in code."""
    from finops_dagster.definitions import build_defs
    from finops_dagster.settings import load

    specs = {
        spec.key: spec.metadata
        for spec in build_defs(load(world.folder / "finops.yaml")).resolve_all_asset_specs()
    }
    for path in (["landing", "charges"], ["warehouse", "marts", "fct_costs_daily"]):
        schema = specs[dg.AssetKey(path)]["dagster/column_schema"]
        columns = {column.name for column in getattr(schema, "schema", schema).columns}
        assert columns >= {"billed_cost", "billing_currency", "charge_category"}


def test_dagster_has_the_checks_of_every_gate(instance: dg.DagsterInstance) -> None:
    """A gate without a recorded verdict may never have been asked."""
    checks: dict[str, list[bool]] = {}
    for run in instance.get_runs():
        for record in instance.all_logs(
            run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
        ):
            event = record.dagster_event
            assert event is not None
            found = event.asset_check_evaluation_data
            name = f"{found.asset_key.to_user_string()} {found.check_name}"
            checks.setdefault(name, []).append(found.passed)
    # the estate has a biased model and a drifting one: that is told, and stops nothing
    assert not any(checks.pop("insight/models model_gate"))
    # and incidents that somebody should be told of
    assert not any(checks.pop("insight/incidents alerts"))
    assert all(all(passed) for passed in checks.values())
    landed = [name for name in checks if name.startswith("landing/")]
    published = [name for name in checks if name.startswith("publication/")]
    dbt = [name for name in checks if name.startswith("warehouse/")]
    assert len(landed) == len(LANDING_TABLES)
    assert len(published) >= 2
    assert len(dbt) >= 20

"""Plans of Terraform and OpenTofu: what they would do is judged, and nothing secret is shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from finops_dagster.domain.decisions import Decision
from finops_dagster.policy.bundle import RegoBundle
from finops_dagster.policy.check import CheckItem, CheckReport, check_path
from finops_dagster.policy.foreign import load_foreign

TAGS = {"team": "shop", "environment": "prod", "cost-center": "cc-1"}
SECRET = "hunter2-canary"


def change(
    address: str,
    after: dict[str, Any] | None = None,
    *,
    actions: tuple[str, ...] = ("create",),
    unknown: dict[str, Any] | None = None,
    sensitive: dict[str, Any] | None = None,
    index: int | str | None = None,
    mode: str = "managed",
) -> dict[str, Any]:
    """One entry of resource_changes, as Terraform 1.12 writes it."""
    parts = address.split("[")[0].split(".")
    entry: dict[str, Any] = {
        "address": address,
        "mode": mode,
        "type": parts[-2],
        "name": parts[-1],
        "provider_name": "registry.terraform.io/hashicorp/aws",
        "change": {
            "actions": list(actions),
            "before": None if "create" in actions and "delete" not in actions else {},
            "after": after,
            "after_unknown": {"id": True, "arn": True} | (unknown or {}),
            "before_sensitive": False,
            "after_sensitive": sensitive or {},
        },
    }
    if index is not None:
        entry["index"] = index
    if len(parts) > 2:
        entry["module_address"] = ".".join(parts[:-2])
    return entry


def plan(*changes: dict[str, Any], **parts: Any) -> dict[str, Any]:
    return {
        "format_version": "1.2",
        "terraform_version": "1.12.2",
        "planned_values": {"root_module": {}},
        "resource_changes": list(changes),
        "configuration": {"root_module": {}},
        "errored": False,
    } | parts


def check(root: Path, bundle: RegoBundle, document: Any) -> CheckReport:
    text = document if isinstance(document, str | bytes) else json.dumps(document)
    (root / "plan.json").write_bytes(text if isinstance(text, bytes) else text.encode())
    return check_path(root / "plan.json", bundle)


def ids(item: CheckItem) -> list[str]:
    return [rule.id for rule in item.rules]


LAMBDA = {"function_name": "f", "memory_size": 3008, "tags": TAGS}


def test_what_a_plan_makes_is_judged(tmp_path: Path, bundle: RegoBundle) -> None:
    """Harm: a violation that is about to be applied passes, or one that is removed stops it."""
    report = check(
        tmp_path,
        bundle,
        plan(
            change("aws_lambda_function.large", LAMBDA),
            change("aws_lambda_function.small", LAMBDA | {"memory_size": 128}, actions=("update",)),
            change("aws_lambda_function.anew", LAMBDA, actions=("delete", "create")),
            change("aws_lambda_function.gone", None, actions=("delete",)),
            change("aws_lambda_function.same", LAMBDA, actions=("no-op",)),
            change("data.aws_ami.image", {}, actions=("read",), mode="data"),
        ),
    )
    assert [(item.resource, item.action, item.verdict) for item in report.items] == [
        ("aws_lambda_function//large", "create", Decision.DENY),
        ("aws_lambda_function//small", "update", Decision.ALLOW),
        ("aws_lambda_function//anew", "replace", Decision.DENY),
    ]
    assert ids(report.items[0]) == ["serverless.memory"]
    assert [(one.resource, one.reason) for one in report.passed_over] == [
        ("aws_lambda_function//gone", "the plan deletes it"),
        ("aws_lambda_function//same", "the plan does not change it"),
    ]
    assert report.refused == ()


def test_modules_and_indexes(tmp_path: Path, bundle: RegoBundle) -> None:
    """Harm: two instances of one block look like one, or a key with slashes breaks the name."""
    report = check(
        tmp_path,
        bundle,
        plan(
            change("module.web.module.api.aws_lambda_function.f[0]", LAMBDA, index=0),
            change('aws_lambda_function.f["eu/west"]', LAMBDA, index="eu/west"),
        ),
    )
    assert [item.resource for item in report.items] == [
        "aws_lambda_function//module.web.module.api.f[0]",
        'aws_lambda_function//f["eu_west"]',
    ]
    assert len({item.resource.count("/") for item in report.items}) == 1


def test_tags_that_the_provider_adds(tmp_path: Path, bundle: RegoBundle) -> None:
    """Harm: every resource is denied for tags that the provider block gives them all."""
    own = {"function_name": "f", "memory_size": 128, "tags": {"team": "shop"}}
    bare = plan(change("aws_lambda_function.f", own))
    (item,) = check(tmp_path, bundle, bare).items
    assert [rule.actual for rule in item.rules] == ["without environment, cost-center"]
    (item,) = check(
        tmp_path, bundle, plan(change("aws_lambda_function.f", own | {"tags_all": TAGS}))
    ).items
    assert item.rules == ()
    configured = plan(
        change("module.m.aws_lambda_function.f", own),
        variables={"region": {"value": "eu-west-1"}},
        configuration={
            "provider_config": {
                "aws": {
                    "expressions": {
                        "region": {"references": ["var.region"]},
                        "default_tags": [{"tags": {"constant_value": TAGS}}],
                    }
                }
            },
            "root_module": {
                "module_calls": {
                    "m": {
                        "module": {
                            "resources": [
                                {
                                    "type": "aws_lambda_function",
                                    "name": "f",
                                    "provider_config_key": "m:aws",
                                    "expressions": {"memory_size": {"constant_value": 128}},
                                }
                            ]
                        }
                    }
                }
            },
        },
    )
    (item,) = check(tmp_path, bundle, configured).items
    assert item.rules == ()


def region_policy(root: Path) -> Path:
    file = root / "theirs.rego"
    file.write_text(
        "package theirs\nimport rego.v1\n"
        'deny contains msg if { input.spec.storage_encrypted != true; msg := "plain" }\n'
        'deny contains "no key" if not input.spec.kms_key_id\n'
        'deny contains json.marshal(input.spec) if input.metadata.labels.show == "all"\n'
    )
    return file


def test_what_is_unknown_is_not_absent(tmp_path: Path, bundle: RegoBundle) -> None:
    """Harm: what is known only after apply passes for not set, and is denied or let through."""
    theirs = load_foreign(region_policy(tmp_path))
    document = plan(
        change(
            "aws_db_instance.a",
            {
                "tags": TAGS,
                "storage_encrypted": True,
                "endpoint": None,
                "restore": [{"name": "seen"}],
            },
            unknown={
                "kms_key_id": True,
                "endpoint": True,
                "restore": [{"at": True, "by": True}],
            },
        ),
        configuration={
            "root_module": {
                "resources": [
                    {
                        "type": "aws_db_instance",
                        "name": "a",
                        "expressions": {
                            "tags": {},
                            "kms_key_id": {"references": ["aws_kms_key.k.arn", "aws_kms_key.k"]},
                            "storage_encrypted": {"constant_value": True},
                            "restore": [{"name": {}, "at": {"references": ["time_static.t"]}}],
                        },
                    }
                ]
            }
        },
    )
    (tmp_path / "plan.json").write_text(json.dumps(document))
    (item,) = check_path(tmp_path / "plan.json", bundle, foreign=[theirs]).items
    assert sorted(item.unknown) == ["kms_key_id", "restore[0].at"]
    assert not [rule for rule in item.rules if rule.id.startswith("theirs")]
    (item,) = check(
        tmp_path,
        bundle,
        plan(change("aws_lambda_function.f", {"tags": TAGS}, unknown={"memory_size": True})),
    ).items
    assert ids(item) == ["serverless.memory_unreadable"]
    assert item.rules[0].actual == "(known after apply)"


@pytest.mark.parametrize(
    ("tags", "unknown", "expected", "listed"),
    [
        (None, {"tags": True}, ["policy.unknown"], "tags"),
        ({"team": "a", "environment": "prod"}, {"tags": {"cost-center": True}}, [],
         "tags.cost-center"),
        ({"team": "a", "environment": "prod"}, {"tags": {}}, ["labels.required"], None),
    ],
)  # fmt: skip
def test_unknown_tags(
    tmp_path: Path,
    bundle: RegoBundle,
    tags: Any,
    unknown: dict[str, Any],
    expected: list[str],
    listed: str | None,
) -> None:
    """Harm: tags that are made of other resources are called missing."""
    given = {"memory_size": 128, "tags": tags}
    (item,) = check(
        tmp_path, bundle, plan(change("aws_lambda_function.f", given, unknown=unknown))
    ).items
    assert ids(item) == expected
    assert (listed in item.unknown) if listed else not item.unknown or "tags" not in item.unknown


def test_nothing_sensitive_is_shown(tmp_path: Path, bundle: RegoBundle) -> None:
    """Harm: a password of the plan is printed in the log of a public pipeline."""
    theirs = load_foreign(region_policy(tmp_path))
    after = {
        "tags": TAGS | {"show": "all", "key": SECRET},
        "password": SECRET,
        "blocks": [{"key": SECRET, "name": "seen"}],
        "storage_encrypted": True,
    }
    marks = {"password": True, "blocks": [{"key": True}], "tags": {"key": True}}
    document = plan(
        change("aws_db_instance.a", after, sensitive=marks), variables={"p": {"value": SECRET}}
    )
    (tmp_path / "plan.json").write_text(json.dumps(document))
    report = check_path(tmp_path / "plan.json", bundle, foreign=[theirs])
    shown = report.model_dump_json()
    assert SECRET not in shown
    assert "(sensitive value)" in shown
    assert "seen" in shown


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"format_version": "2.0", "planned_values": {}}, "format 2.0: 1.x is read"),
        ({"format_version": "1.0", "values": {"root_module": {}}}, "a state, no plan"),
        (plan(errored=True), "the plan failed"),
        ('{"@level":"info","@message":"Terraform 1.9"}\n{"@level":"info"}', "the log of a plan"),
        (b"PK\x03\x04rest of a zip", "a saved plan"),
        ('{"format_version": "1.2", "resource_changes": [', "not JSON"),
        (plan(change("aws_db_instance.a", {}, actions=("explode",))), "the action"),
        (plan(change("aws_db_instance.a", None)), "what it would be is not told"),
        (plan(deferred_changes=[{"reason": "x", "resource_change": change("aws_vpc.a")}]),
         "put off to a later plan"),
    ],
)  # fmt: skip
def test_what_is_no_plan_to_judge(
    tmp_path: Path, bundle: RegoBundle, document: Any, says: str
) -> None:
    """Harm: a file that Terraform wrote for something else passes as a plan that is sound."""
    report = check(tmp_path, bundle, document)
    assert report.items == ()
    (refused,) = report.refused
    assert says in refused.reason


def test_encodings_and_older_formats(tmp_path: Path, bundle: RegoBundle) -> None:
    """Harm: a plan printed by PowerShell, or by OpenTofu or an older Terraform, is not read."""
    document = plan(change("aws_lambda_function.f", LAMBDA)) | {"format_version": "0.2"}
    text = json.dumps(document)
    for content in (
        text.encode("utf-16"),
        text.encode("utf-8-sig"),
        json.dumps(document, indent=2),
    ):
        (item,) = check(tmp_path, bundle, content).items
        assert item.verdict is Decision.DENY


def test_hostile_plans(tmp_path: Path, bundle: RegoBundle) -> None:
    """Harm: a plan of odd types, or one nested without end, crashes the check."""
    odd = [
        {"resource_changes": {}},
        {"resource_changes": [None, 1, {"change": None}, {"change": {"actions": "create"}}]},
        {"resource_changes": [change("aws_vpc.a", {"tags": 7, "tag": [1, {"key": 2}]})]},
        {"resource_changes": [change("aws_vpc.a", {"tags": TAGS}, unknown={"tags": [True]})]},
        {"resource_changes": [change("aws_vpc.a\x1b[31m", {})]},
        {"configuration": {"root_module": {"resources": "x"}, "provider_config": []},
         "resource_changes": [change("aws_vpc.a", {})]},
    ]  # fmt: skip
    for one in odd:
        report = check(tmp_path, bundle, plan() | one)
        assert "\x1b" not in report.model_dump_json()
        for item in report.items:
            assert "policy.engine" not in ids(item)
    deep: Any = {}
    for _ in range(300):
        deep = {"a": deep}
    (refused,) = check(tmp_path, bundle, plan(change("aws_vpc.a", deep))).refused
    assert refused.reason == "nested too deeply"

"""What resources break as they are, by the rules that can judge what is known of them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from finops_dagster.domain.decisions import (
    Abstained,
    Decision,
    DeclaredResource,
    RuleResult,
    Verdict,
)
from finops_dagster.domain.violations import Seen
from finops_dagster.policy.bundle import RegoBundle
from finops_dagster.policy.judges import RegorusJudge
from finops_dagster.policy.mending import mend
from finops_dagster.policy.violations import Judging, Subject, declared_subject, managed


def rule(id_: str, decision: Decision = Decision.DENY, actual: str = "a") -> RuleResult:
    return RuleResult(id=id_, title=id_, decision=decision, actual=actual, limit="l", fix="f")


class Says:
    """A judge that says what a function of the manifest returns, and counts."""

    bundle = "bundle-x"

    def __init__(self, rules: Any) -> None:
        self._rules = rules
        self.asked = 0

    def judge_manifest(
        self,
        manifest: Mapping[str, Any],
        subject: str,
        environment: str = "",
        namespace_labels: Mapping[str, str] | None = None,
    ) -> Verdict:
        self.asked += 1
        rules = tuple(self._rules(manifest))
        return Verdict(subject=subject, decision=Decision.DENY, rules=rules, bundle="bundle-x")


def subject(name: str = "web", **changes: Any) -> Subject:
    given: dict[str, Any] = {
        "resource": f"Deployment/shop/{name}",
        "seen": Seen.DECLARED,
        "owner": "checkout",
        "environment": "prod",
        "manifests": ({"kind": "Deployment", "spec": {}},),
        **changes,
    }
    return Subject(**given)


def declared(
    kind: str, manifest: dict[str, Any], labels: dict[str, str] | None = None
) -> DeclaredResource:
    return DeclaredResource(
        resource=f"{kind}/terraform:infra/it",
        api_version="terraform",
        labels=labels or {},
        annotations={},
        file="main.tf",
        document=0,
        manifest=json.dumps(manifest),
        region="eu-west-1",
    )


def test_each_distinct_manifest_is_judged_once() -> None:
    """Harm: a daily look at fifty thousand workloads takes an hour."""
    judge = Says(lambda _: [rule("labels.required")])
    found = Judging(judge).judge([subject("a"), subject("b"), subject("c", environment="dev")])
    assert [one.resource for one in found.violations] == [
        "Deployment/shop/a",
        "Deployment/shop/b",
        "Deployment/shop/c",
    ]
    assert judge.asked == 2, "the environment is another question"


def test_rules_in_favour_and_of_other_topics_are_no_violations() -> None:
    """Harm: approved budgets, and rules that read what nobody knows, are told as violations."""
    judge = Says(
        lambda _: [
            rule("compute.gpu_budget_approved", Decision.ALLOW),
            rule("availability.replicas"),
            rule("labels.required", Decision.NEEDS_APPROVAL),
        ]
    )
    found = Judging(judge).judge([subject(topics=frozenset({"labels"}))])
    assert [(one.rule_id, one.decision) for one in found.violations] == [
        ("labels.required", Decision.NEEDS_APPROVAL)
    ]


def test_one_rule_twice_is_one_violation_with_both_values() -> None:
    """Harm: the age of a violation depends on the order in which a rule lists containers."""
    judge = Says(lambda _: [rule("x.y", actual="2"), rule("x.y", Decision.NEEDS_APPROVAL, "1")])
    (one,) = Judging(judge).judge([subject()]).violations
    assert (one.decision, one.actual, one.limit) == (Decision.DENY, "2; 1", "l")


def test_what_policy_could_not_judge_is_told_and_no_violation() -> None:
    """Harm: a broken rule is a violation of every resource, charged to its owner."""
    judge = Says(lambda _: [rule("policy.rule_unevaluable", actual="x.y cannot be evaluated")])
    found = Judging(judge).judge([subject()])
    assert found.violations == []
    assert found.abstained == [
        Abstained(
            subject="Deployment/shop/web",
            reason="policy.rule_unevaluable: x.y cannot be evaluated",
        )
    ]


def test_terraform_is_read_as_a_managed_resource(bundle: RegoBundle) -> None:
    """Harm: Terraform has no kind, so that the input is refused, and nothing of it is judged."""
    manifest = {"instance_type": "p4d.24xlarge", "tags": {"cost_center": "cc-1"}}
    made = declared_subject(
        declared("aws_instance", manifest, {"cost_center": "cc-1"}), {}, "", False
    )
    assert isinstance(made, Subject)
    (content,) = made.manifests
    assert content["spec"]["forProvider"] == {
        "instanceType": "p4d.24xlarge",
        "region": "eu-west-1",
        "tags": {"cost_center": "cc-1"},
    }
    found = Judging(RegorusJudge(bundle)).judge([made])
    assert found.abstained == []
    assert {one.rule_id for one in found.violations} >= {"compute.gpu_budget", "labels.required"}


def test_a_type_that_may_have_no_tags_is_not_asked_for_them(bundle: RegoBundle) -> None:
    """Harm: every policy attachment, which can carry no tag, breaks the rule of tags for ever."""
    one = declared("aws_iam_role_policy_attachment", {"role": "x"})
    made = declared_subject(one, {}, "", billed=False)
    assert isinstance(made, Subject)
    assert Judging(RegorusJudge(bundle)).judge([made]).violations == []
    billed = declared_subject(one, {}, "", billed=True)
    assert isinstance(billed, Subject)
    found = Judging(RegorusJudge(bundle)).judge([billed]).violations
    assert [violation.rule_id for violation in found] == ["labels.required"]


def test_a_manifest_that_is_none_is_told() -> None:
    """Harm: a resource that cannot be read is silently in order."""
    broken = declared("aws_instance", {}).model_copy(update={"manifest": "[1]"})
    assert declared_subject(broken, {}, "", False) == Abstained(
        subject="aws_instance/terraform:infra/it", reason="its manifest is no mapping"
    )


FUNCTION = {
    "kind": "ServerlessFunction",
    "apiVersion": "serverless/v1",
    "metadata": {
        "name": "f",
        "labels": {"team": "a", "environment": "prod", "cost-center": "cc-1"},
    },
    "spec": {"memory": 2048},
}


def test_memory_over_the_ceiling_is_mended_by_the_ceiling(bundle: RegoBundle) -> None:
    """Harm: a person is told that it is too much, and must look the number up."""
    judging = Judging(RegorusJudge(bundle))
    it = subject(resource="ServerlessFunction//f", manifests=(FUNCTION,))
    (violation,) = judging.judge([it]).violations
    found = mend(judging, it, violation, {"spec.memory": "2048", "metadata.name": "f"}, {})
    assert found is not None
    assert (found.field, found.current, found.proposed) == ("spec.memory", "2048", "1024")


def test_a_field_of_another_tool_is_mended_where_it_is_declared(bundle: RegoBundle) -> None:
    """Harm: the fix names a path of the shape that is judged, which the repository has not."""
    labels = {"team": "a", "cost_center": "c", "environment": "prod"}
    one = declared("ServerlessFunction", {"memory_size": 2048}, labels)
    it = declared_subject(one, {}, "", False)
    assert isinstance(it, Subject)
    judging = Judging(RegorusJudge(bundle))
    (violation,) = judging.judge([it]).violations
    found = mend(judging, it, violation, {"memory_size": "2048"}, {})
    assert found is not None
    assert (found.field, found.proposed) == ("memory_size", violation.limit.removesuffix(" MiB"))


def test_encryption_is_switched_on_where_the_rule_is_content_then() -> None:
    """Harm: a switch that does not satisfy the rule is proposed as its fix."""

    def rules(manifest: Mapping[str, Any]) -> list[RuleResult]:
        on = manifest["spec"]["storageEncrypted"]
        return [] if on else [rule("storage.encryption")]

    it = subject(manifests=({"spec": {"storageEncrypted": False, "encryptLogs": False}},))
    judging = Judging(Says(rules))
    (violation,) = judging.judge([it]).violations
    values = {"spec.encryptLogs": "false", "spec.storageEncrypted": "false"}
    found = mend(judging, it, violation, values, {})
    assert found is not None
    assert (found.field, found.proposed) == ("spec.storageEncrypted", "true")
    assert mend(judging, it, violation, {"spec.encryptLogs": "false"}, {}) is None


def test_what_breaks_another_rule_is_no_fix() -> None:
    """Harm: the fix of one rule is the violation of the next."""

    def rules(manifest: Mapping[str, Any]) -> list[RuleResult]:
        on = manifest["spec"]["encrypted"]
        return [rule("storage.key")] if on else [rule("storage.encryption")]

    it = subject(manifests=({"spec": {"encrypted": False}},))
    judging = Judging(Says(rules))
    (violation,) = judging.judge([it]).violations
    assert mend(judging, it, violation, {"spec.encrypted": "false"}, {}) is None


def test_labels_are_suggested_where_their_value_is_known(bundle: RegoBundle) -> None:
    """Harm: the owner on the bill is known, and the fix still asks who it is; or more is added
    than the rule asks for.
    """
    manifest = managed("Bucket//b", {}, {"team": "search"})
    it = subject(resource="Bucket//b", manifests=(manifest,))
    judging = Judging(RegorusJudge(bundle))
    (violation,) = judging.judge([it]).violations
    known = {"environment": "prod", "cost_center": "cc-9"}
    found = mend(judging, it, violation, {}, known)
    assert found is not None
    assert (found.field, found.labels) == ("", {"cost_center": "cc-9"})
    assert mend(judging, it, violation, {}, {"environment": "prod", "cost_center": ""}) is None

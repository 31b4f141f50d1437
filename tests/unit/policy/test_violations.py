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
from finops_dagster.policy.inputs import manifest_input
from finops_dagster.policy.judges import RegorusJudge
from finops_dagster.policy.mending import Mend, mend
from finops_dagster.policy.violations import Judging, Known, declared, undeclared


def rule(id_: str, decision: Decision = Decision.DENY, actual: str = "a") -> RuleResult:
    return RuleResult(id=id_, title=id_, decision=decision, actual=actual, limit="l", fix="f")


class Says:
    """A judge that says what a function of the manifest returns, and counts."""

    bundle = "bundle-x"

    def __init__(self, rules: Any) -> None:
        self._rules = rules
        self.asked = 0

    def judge_document(self, document: Mapping[str, Any], subject: str) -> Verdict:
        self.asked += 1
        rules = tuple(self._rules(document["resource"]["manifest"]))
        return Verdict(subject=subject, decision=Decision.DENY, rules=rules, bundle="bundle-x")


def known(name: str = "web", environment: str = "prod", **changes: Any) -> Known:
    manifest = {"kind": "Deployment", "spec": {}}
    given: dict[str, Any] = {
        "resource": f"Deployment/shop/{name}",
        "seen": Seen.DECLARED,
        "owner": "checkout",
        "environment": environment,
        "documents": (manifest_input(manifest, name, environment),),
        **changes,
    }
    return Known(**given)


def resource(
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


def told(one: DeclaredResource) -> Known:
    made = declared(one, {})
    assert isinstance(made, Known)
    return made


def mended(
    judging: Judging, one: DeclaredResource, values: dict[str, str], labels: dict[str, str]
) -> Mend | None:
    """What mends the one violation of a resource."""
    (violation,) = judging.judge([told(one)]).violations
    return mend(judging, one, lambda it: declared(it, {}), violation, values, labels)


def test_each_distinct_manifest_is_judged_once() -> None:
    """Harm: a daily look at fifty thousand workloads takes an hour."""
    judge = Says(lambda _: [rule("labels.required")])
    found = Judging(judge).judge([known("a"), known("b"), known("c", "dev")])
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
    found = Judging(judge).judge([known(topics=frozenset({"labels"}))])
    assert [(one.rule_id, one.decision) for one in found.violations] == [
        ("labels.required", Decision.NEEDS_APPROVAL)
    ]


def test_one_rule_twice_is_one_violation_with_both_values() -> None:
    """Harm: the age of a violation depends on the order in which a rule lists containers."""
    judge = Says(lambda _: [rule("x.y", actual="2"), rule("x.y", Decision.NEEDS_APPROVAL, "1")])
    (one,) = Judging(judge).judge([known()]).violations
    assert (one.decision, one.actual, one.limit) == (Decision.DENY, "2; 1", "l")


def test_what_policy_could_not_judge_is_told_and_no_violation() -> None:
    """Harm: a broken rule is a violation of every resource, charged to its owner."""
    judge = Says(lambda _: [rule("policy.rule_unevaluable", actual="x.y cannot be evaluated")])
    found = Judging(judge).judge([known()])
    assert found.violations == []
    assert found.abstained == [
        Abstained(
            subject="Deployment/shop/web",
            reason="policy.rule_unevaluable: x.y cannot be evaluated",
        )
    ]


def test_other_tools_are_judged_by_their_attributes(bundle: RegoBundle) -> None:
    """Harm: Terraform has no kind, so that the input is refused, and nothing of it is judged."""
    one = resource("aws_ebs_volume", {"encrypted": False, "size": 10})
    found = Judging(RegorusJudge(bundle)).judge([told(one)])
    assert found.abstained == []
    assert [violation.rule_id for violation in found.violations] == ["storage.encryption"]


def test_a_type_that_may_have_no_tags_is_not_asked_for_them(bundle: RegoBundle) -> None:
    """Harm: every policy attachment, which can carry no tag, breaks the rule of tags for ever."""
    one = resource("aws_iam_role_policy_attachment", {"role": "x"})
    assert Judging(RegorusJudge(bundle)).judge([told(one)]).violations == []


def test_what_only_the_bill_knows_is_judged_by_its_tags(bundle: RegoBundle) -> None:
    """Harm: what nobody declares is judged by nobody; or by rules that read a declaration."""
    topics = frozenset({"labels", "compute"})
    facts = {"region": "eu-west-1", "instanceType": "m5.large"}
    one = undeclared(
        "machine/1/i-1", Seen.BILLED, "a", "prod", facts, {"team": "a", "env": "prod"}, topics
    )
    (found,) = Judging(RegorusJudge(bundle)).judge([one]).violations
    assert (found.rule_id, found.actual, found.seen) == (
        "labels.required",
        "without cost-center",
        Seen.BILLED,
    )


def test_a_manifest_that_is_none_is_told() -> None:
    """Harm: a resource that cannot be read is silently in order."""
    broken = resource("aws_instance", {}).model_copy(update={"manifest": "[1]"})
    assert declared(broken, {}) == Abstained(
        subject="aws_instance/terraform:infra/it", reason="its manifest is no JSON"
    )


def function(**attributes: Any) -> DeclaredResource:
    labels = {"team": "a", "environment": "prod", "cost-center": "cc-1"}
    one = resource("ServerlessFunction", attributes, labels)
    return one.model_copy(update={"api_version": "serverless", "environment": "prod"})


def test_memory_over_the_ceiling_is_mended_by_the_ceiling(bundle: RegoBundle) -> None:
    """Harm: a person is told that it is too much, and must look the number up; or the fix names a
    path of the form that is judged, which the repository has not.
    """
    judging = Judging(RegorusJudge(bundle))
    found = mended(judging, function(memorySize=2048), {"memorySize": "2048", "timeout": "9"}, {})
    assert found is not None
    assert (found.field, found.current, found.proposed) == ("memorySize", "2048", "1024")


def test_encryption_is_switched_on_where_the_rule_is_content_then() -> None:
    """Harm: a switch that does not satisfy the rule is proposed as its fix."""

    def rules(manifest: Mapping[str, Any]) -> list[RuleResult]:
        return [] if manifest["storage_encrypted"] else [rule("storage.encryption")]

    one = resource("aws_db_instance", {"storage_encrypted": False, "encrypt_logs": False})
    judging = Judging(Says(rules))
    found = mended(judging, one, {"encrypt_logs": "false", "storage_encrypted": "false"}, {})
    assert found is not None
    assert (found.field, found.proposed) == ("storage_encrypted", "true")
    assert mended(judging, one, {"encrypt_logs": "false"}, {}) is None


def test_what_breaks_another_rule_is_no_fix() -> None:
    """Harm: the fix of one rule is the violation of the next."""

    def rules(manifest: Mapping[str, Any]) -> list[RuleResult]:
        return [rule("storage.key" if manifest["encrypted"] else "storage.encryption")]

    one = resource("aws_ebs_volume", {"encrypted": False})
    assert mended(Judging(Says(rules)), one, {"encrypted": "false"}, {}) is None


def test_labels_are_suggested_where_their_value_is_known(bundle: RegoBundle) -> None:
    """Harm: the owner on the bill is known, and the fix still asks who it is; or more is added
    than the rule asks for.
    """
    manifest = {
        "apiVersion": "example.upbound.io/v1",
        "kind": "Thing",
        "metadata": {"name": "b", "labels": {"team": "search"}},
        "spec": {"forProvider": {}},
    }
    one = resource("Thing", manifest, {"team": "search"})
    judging = Judging(RegorusJudge(bundle))
    found = mended(judging, one, {}, {"environment": "prod", "cost_center": "cc-9"})
    assert found is not None
    assert (found.field, found.labels) == ("", {"cost_center": "cc-9"})
    assert mended(judging, one, {}, {"environment": "prod", "cost_center": ""}) is None


def test_a_resource_of_two_renderings_has_no_one_fix(bundle: RegoBundle) -> None:
    """Harm: what mends one cluster's rendering is told to mend the other's."""
    one = function(memorySize=2048)
    two = one.model_copy(update={"variants": (json.dumps({"memorySize": 4096}),)})
    judging = Judging(RegorusJudge(bundle))
    (violation,) = judging.judge([told(two)]).violations
    assert violation.actual.count(";") == 1
    values = {"memorySize": "2048"}
    assert mend(judging, two, lambda it: declared(it, {}), violation, values, {}) is None

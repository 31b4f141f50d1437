"""Other people's policies, unchanged: v0 and v1, admission, Gatekeeper and bare manifests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from finops_dagster.domain.decisions import Decision
from finops_dagster.domain.errors import SettingsError
from finops_dagster.policy.bundle import RegoBundle
from finops_dagster.policy.check import check_path
from finops_dagster.policy.foreign import ForeignPolicy, load_foreign

SAMPLES = Path(__file__).parents[3].parent / "shared" / "data" / "field_samples"

ADMISSION_V0 = """
package kubernetes.admission

deny[msg] {
  input.request.kind.kind == "Pod"
  input.request.operation == "CREATE"
  image := input.request.object.spec.containers[_].image
  endswith(image, ":latest")
  msg := sprintf("%v is not pinned", [image])
}
"""
GATEKEEPER_V0 = """
package k8srequiredlabels

violation[{"msg": msg, "details": {"missing": missing}}] {
  provided := {label | input.review.object.metadata.labels[label]}
  required := {label | label := input.parameters.labels[_]}
  missing := required - provided
  count(missing) > 0
  msg := sprintf("you must provide labels: %v", [missing])
}
"""
CONFTEST_V1 = """
package main

import rego.v1

deny contains "no root" if input.spec.securityContext.runAsUser == 0

warn_size contains {"message": "many replicas"} if input.spec.replicas > 10
"""
FAILING = """
package main

import rego.v1

deny contains "never" if to_number(input.metadata.name) > 3
"""
POD = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "a"},
    "spec": {"containers": [{"image": "x:latest"}]},
}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "a", "namespace": "n"},
    "spec": {"replicas": 12, "template": {"spec": POD["spec"]}},
}


def policy(root: Path, text: str, **parameters: Any) -> ForeignPolicy:
    file = root / "policy.rego"
    file.write_text(text)
    return load_foreign(file, parameters)


def said(judge: ForeignPolicy, manifest: dict[str, Any]) -> tuple[Decision, list[str]]:
    verdict = judge.judge_manifest(manifest, "f#0")
    return verdict.decision, [rule.title for rule in verdict.rules]


def test_admission(tmp_path: Path) -> None:
    """Harm: a policy of admission passes everything because it looks for a request."""
    judge = policy(tmp_path, ADMISSION_V0)
    assert said(judge, POD) == (Decision.DENY, ["x:latest is not pinned"])
    assert said(judge, POD | {"spec": {"containers": [{"image": "x:1"}]}}) == (Decision.ALLOW, [])


def test_pods_that_a_workload_makes(tmp_path: Path) -> None:
    """Harm: a Deployment passes the check, and its pods are refused in the cluster."""
    judge = policy(tmp_path, ADMISSION_V0)
    assert said(judge, DEPLOYMENT) == (Decision.DENY, ["x:latest is not pinned"])
    cron = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "spec": {"jobTemplate": {"spec": {"template": {"spec": POD["spec"]}}}},
    }
    assert said(judge, cron) == (Decision.DENY, ["x:latest is not pinned"])


def test_gatekeeper(tmp_path: Path) -> None:
    """Harm: a constraint template is asked without its parameters and finds nothing missing."""
    judge = policy(tmp_path, GATEKEEPER_V0, labels=["team"])
    decision, (title,) = said(judge, POD)
    assert decision is Decision.DENY
    assert title.startswith("you must provide labels")
    labelled = POD | {"metadata": {"labels": {"team": "a"}}}
    assert said(judge, labelled) == (Decision.ALLOW, [])
    assert policy(tmp_path, GATEKEEPER_V0, labels=["owner"]).bundle != judge.bundle


def test_bare_manifests_and_warnings(tmp_path: Path) -> None:
    """Harm: a warning stops the line, or a denial is only a warning."""
    judge = policy(tmp_path, CONFTEST_V1)
    assert said(judge, DEPLOYMENT) == (Decision.NEEDS_APPROVAL, ["many replicas"])
    root = POD | {"spec": {"securityContext": {"runAsUser": 0}}}
    assert said(judge, root) == (Decision.DENY, ["no root"])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('deny := "one"', ["one"]),
        ("deny := true", ["main.deny"]),
        ("deny := false", []),
        ('deny["k"] := true', ["k"]),
        ('deny contains {"reason": "r"}', ["r"]),
        ('deny contains {"other": 1}', ['{"other": 1}']),
        ("violation_cost contains 7", ["7"]),
        ("deny if input.never", []),
    ],
)
def test_forms_of_an_answer(tmp_path: Path, body: str, expected: list[str]) -> None:
    """Harm: a denial in a form we do not know reads as silence."""
    judge = policy(tmp_path, f"package main\nimport rego.v1\n{body}\n")
    decision, titles = said(judge, POD)
    assert titles == expected
    assert decision is (Decision.DENY if expected else Decision.ALLOW)


def test_failing_policy_denies(tmp_path: Path) -> None:
    """Harm: a policy that fails on a manifest lets it through."""
    judge = policy(tmp_path, FAILING)
    assert said(judge, POD) == (Decision.DENY, ["A policy could not be evaluated"])
    assert said(judge, POD | {"metadata": {"name": "2"}}) == (Decision.ALLOW, [])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("package main\nimport rego.v1\nallow := true\n", "no deny, violation or warn rule"),
        ("package main\ndeny[msg] {\n", "neither as v1"),
        ("nothing", "neither as v1"),
    ],
)
def test_unusable_policies(tmp_path: Path, text: str, says: str) -> None:
    """Harm: a policy that cannot speak is taken for one that has nothing to say."""
    with pytest.raises(SettingsError, match=says):
        policy(tmp_path, text)
    with pytest.raises(SettingsError, match="cannot be read"):
        load_foreign(tmp_path / "nowhere.rego")


def test_beside_our_own(tmp_path: Path, bundle: RegoBundle) -> None:
    """Harm: other people's denial is outvoted by our silence."""
    manifests = tmp_path / "manifests"
    manifests.mkdir()
    (manifests / "pod.yaml").write_text(
        "apiVersion: v1\nkind: Pod\nmetadata:\n"
        "  labels: {team: a, environment: dev, cost-center: c}\n"
        "spec: {containers: [{image: 'x:latest'}]}\n"
    )
    assert not check_path(manifests, bundle).denied
    report = check_path(manifests, bundle, foreign=[policy(tmp_path, ADMISSION_V0)])
    assert [rule.id for item in report.items for rule in item.rules] == [
        "kubernetes.admission.deny"
    ]
    assert report.denied


def _sample(name: str) -> ForeignPolicy:
    file = SAMPLES / name
    if not file.is_file():
        pytest.skip(f"needs shared/data/field_samples/{name} beside the project")
    return load_foreign(file)


def test_published_admission_policy() -> None:
    """Harm: the policy that a platform team runs already says something else here."""
    judge = _sample("expensive_instance_admission.rego")

    def pod(kind: str, **labels: str) -> dict[str, Any]:
        selector = {"beta.kubernetes.io/instance-type": kind}
        spec = {"nodeSelector": selector, "containers": []}
        meta = {"name": "a", "labels": labels}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}

    decision, (title,) = said(judge, pod("p3.2xlarge"))
    assert decision is Decision.DENY
    assert "p3.2xlarge" in title
    assert said(judge, pod("t3.medium")) == (Decision.ALLOW, [])
    approved = {"apexlogic.com/budget-approved": "true"}
    assert said(judge, pod("p3.2xlarge", **approved)) == (Decision.ALLOW, [])
    whole = pod("p4d.24xlarge")
    deployment = DEPLOYMENT | {"spec": {"template": {"spec": whole["spec"]}}}
    assert said(judge, deployment)[0] is Decision.DENY


def test_published_serverless_policy() -> None:
    """Harm: a text is greater than any number in Rego, so every `256Mi` would be too much."""
    judge = _sample("serverless_memory.rego")

    def function(memory: Any) -> dict[str, Any]:
        return {"kind": "ServerlessFunction", "metadata": {"name": "f"}, "spec": {"memory": memory}}

    for memory in (1024, "1024", "1Gi", "600MB"):
        assert said(judge, function(memory))[0] is Decision.DENY, memory
    for memory in (512, "512", "256Mi", "512MB", 128):
        assert said(judge, function(memory)) == (Decision.ALLOW, []), memory
    managed = {
        "apiVersion": "lambda.aws.upbound.io/v1beta1",
        "kind": "Function",
        "spec": {"forProvider": {"memorySize": 2048}},
    }
    assert said(judge, managed)[0] is Decision.DENY


def folder(root: Path, **files: str) -> ForeignPolicy:
    """A folder of policies; `__` in a name is a slash, `_rego` at its end the suffix."""
    for name, text in files.items():
        stem, _, suffix = name.rpartition("_")
        file = root / "theirs" / f"{stem.replace('__', '/')}.{suffix}"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return load_foreign(root / "theirs")


def test_helpers_of_a_folder_old_and_new(tmp_path: Path) -> None:
    """Harm: a policy whose helpers are in another file, or in the older Rego, does not load."""
    judge = folder(
        tmp_path,
        main_rego="package main\nimport rego.v1\nimport data.lib.pods\n"
        "deny contains msg if { some image in pods.images; endswith(image, data.tags.bad)\n"
        'msg := sprintf("%v is not pinned", [image]) }\n',
        lib__pods_rego="package lib.pods\nimport future.keywords.in\n"
        "images[image] { image := input.request.object.spec.containers[_].image }\n",
        tags__data_yaml="bad: ':latest'\n",
        main_test_rego='package main_test\nimport rego.v1\ndeny contains "no policy" if true\n',
    )
    assert said(judge, DEPLOYMENT) == (Decision.DENY, ["x:latest is not pinned"])


def test_packages_of_a_folder_are_asked_each_in_its_way(tmp_path: Path) -> None:
    """Harm: one policy that reads requests makes the one beside it blind to manifests."""
    judge = folder(
        tmp_path,
        a_rego=ADMISSION_V0,
        b_rego='package functions\ndeny[msg] {\n input.kind == "ServerlessFunction"\n'
        ' input.spec.memory > 512\n msg := "too large"\n}\n# input.review is only spoken of\n',
    )
    assert said(judge, POD) == (Decision.DENY, ["x:latest is not pinned"])
    function = {"kind": "ServerlessFunction", "spec": {"memory": "1Gi"}}
    assert said(judge, function) == (Decision.DENY, ["too large"])
    assert said(judge, function | {"spec": {"memory": 512}}) == (Decision.ALLOW, [])


def test_parts_that_do_not_go_together(tmp_path: Path) -> None:
    """Harm: a fault that only shows when anything is asked denies everything, one by one."""
    text = "package main\nimport rego.v1\ndeny contains msg if { msg := nobody }\n"
    with pytest.raises(SettingsError, match="does not compile"):
        policy(tmp_path, text)


@pytest.mark.parametrize(
    ("rules", "speaks"),
    [('["big"]', False), ('["other"]', True), ('["", "big"]', False)],
)
def test_exceptions(tmp_path: Path, rules: str, speaks: bool) -> None:
    """Harm: what their own policy excepts by name is denied here."""
    judge = policy(
        tmp_path,
        'package main\nimport rego.v1\ndeny_big contains "big" if input.spec.replicas > 10\n'
        f'exception contains rules if {{ input.metadata.name == "a"; rules := {rules} }}\n',
    )
    assert (said(judge, DEPLOYMENT)[0] is Decision.DENY) is speaks
    assert said(judge, DEPLOYMENT | {"metadata": {"name": "b"}})[0] is Decision.DENY


def test_policies_for_reviews_and_manifests_alike(tmp_path: Path) -> None:
    """Harm: a policy written for conftest and Gatekeeper is asked without its parameters."""
    file = tmp_path / "both.rego"
    file.write_text(
        "package both\ndefault is_review = false\nis_review { input.review.object }\n"
        "resource = input.review.object { is_review }\nresource = input { not is_review }\n"
        "violation[msg] { resource.spec.replicas > input.parameters.most; "
        'msg := "too many" }\n'
    )
    assert said(load_foreign(file, {"most": 10}), DEPLOYMENT) == (Decision.DENY, ["too many"])
    assert said(load_foreign(file, {"most": 20}), DEPLOYMENT) == (Decision.ALLOW, [])


TEMPLATE = """
apiVersion: templates.gatekeeper.sh/v1
kind: ConstraintTemplate
metadata: {name: maxreplicas}
spec:
  crd: {spec: {names: {kind: MaxReplicas}}}
  targets:
  - target: admission.k8s.gatekeeper.sh
    code:
    - engine: K8sNativeValidation
      source: {validations: []}
    - engine: Rego
      source:
        version: v1
        rego: |
          package maxreplicas
          violation contains {"msg": msg} if {
            data.lib.count.replicas > input.parameters.most
            msg := sprintf("more than %v", [input.parameters.most])
          }
        libs:
        - |
          package lib.count
          replicas := input.review.object.spec.replicas
"""
CONSTRAINT = """
apiVersion: constraints.gatekeeper.sh/v1beta1
kind: MaxReplicas
metadata: {name: NAME}
spec:
  enforcementAction: ACTION
  match:
    kinds: [{apiGroups: [apps], kinds: [Deployment]}]
    excludedNamespaces: [kube-*]
    labelSelector: {matchExpressions: [{key: big, operator: DoesNotExist}]}
  parameters: {most: MOST}
"""


def constraint(name: str, action: str, most: int) -> str:
    text = CONSTRAINT.replace("NAME", name).replace("ACTION", action)
    return text.replace("MOST", str(most))


def test_templates_with_their_constraints(tmp_path: Path) -> None:
    """Harm: what Gatekeeper refuses in the cluster is proposed, or what it only warns of stops."""
    judge = folder(
        tmp_path,
        template_yaml=TEMPLATE,
        uses_yaml="---".join(
            [constraint("hard", "deny", 11), constraint("soft", "warn", 5),
             constraint("trial", "dryrun", 1)]
        ),
    )  # fmt: skip
    assert said(judge, DEPLOYMENT) == (Decision.DENY, ["more than 11", "more than 5"])
    assert said(judge, DEPLOYMENT | {"spec": {"replicas": 6}}) == (
        Decision.NEEDS_APPROVAL,
        ["more than 5"],
    )
    for other in (
        {"kind": "StatefulSet"},
        {"apiVersion": "other/v1"},
        {"metadata": {"name": "a", "namespace": "kube-system"}},
        {"metadata": {"name": "a", "labels": {"big": "yes"}}},
    ):
        assert said(judge, DEPLOYMENT | other) == (Decision.ALLOW, []), other
    (tmp_path / "theirs" / "uses.yaml").unlink()
    assert load_foreign(tmp_path / "theirs", {"most": 3}).bundle != judge.bundle
    assert said(load_foreign(tmp_path / "theirs", {"most": 3}), DEPLOYMENT)[1] == ["more than 3"]


def test_functions_of_other_tools(tmp_path: Path) -> None:
    """Harm: a function declared in Terraform or SAM passes what one in Kubernetes does not."""
    judge = policy(
        tmp_path,
        'package f\ndeny[msg] {\n input.kind == "ServerlessFunction"\n'
        " input.spec.memory > 512\n msg := input.metadata.name\n}\n",
    )

    def asked(kind: str, manifest: dict[str, Any]) -> list[str]:
        resource = {"kind": kind, "name": "f", "labels": {}, "manifest": manifest}
        verdict = judge.judge_document({"resource": resource}, "f#0")
        return [rule.title for rule in verdict.rules]

    assert asked("aws_lambda_function", {"memory_size": 1024}) == ["f"]
    assert asked("aws_lambda_function", {"memory_size": 512}) == []
    assert asked("aws_lambda_function", {"memory_size": "var.memory"}) == []
    assert asked("google_cloudfunctions2_function",
                 {"service_config": [{"available_memory": "1024M"}]}) == ["f"]  # fmt: skip
    assert asked("AWS::Serverless::Function", {"Properties": {"MemorySize": 3008}}) == ["f"]
    assert asked("ServerlessFunction", {}) == ["f"]
    assert asked("aws_s3_bucket", {"memory_size": 1024}) == []


@pytest.mark.parametrize(
    ("expression", "speaks"),
    [
        ("any([false, input.spec.replicas > 10])", True),
        ("all([true, input.spec.replicas > 20])", False),
        ('re_match("^Deploy", input.kind)', True),
        ('count(set_diff({"a", "b"}, {"a"})) == 1', True),
        ('net.cidr_overlap("10.0.0.0/8", "10.1.1.1")', True),
        ('startswith(crypto.sha256("a"), "ca97")', True),
    ],
)
def test_functions_that_older_policies_call(tmp_path: Path, expression: str, speaks: bool) -> None:
    """Harm: a policy that OPA has run for years does not load here."""
    judge = policy(tmp_path, f'package old\ndeny["said"] {{ {expression} }}\n')
    assert said(judge, DEPLOYMENT)[1] == (["said"] if speaks else [])
    with pytest.raises(SettingsError, match="could not find function nobody"):
        policy(tmp_path, 'package old\ndeny["said"] { nobody(input) }\n')


def test_a_file_uses_what_is_beside_it(tmp_path: Path) -> None:
    """Harm: a policy that is named by its file has lost its library, or speaks for others too."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "kinds.rego").write_text(
        "package lib.kinds\nimport data.lib.words\nlarge { input.spec.replicas > words.most }\n"
    )
    (tmp_path / "words.rego").write_text("package lib.words\nmost = 10\ndeny[msg] { msg := `no` }")
    (tmp_path / "other.rego").write_text("package other\ndeny[`other`] { true }\n")
    (tmp_path / "broken.rego").write_text("package broken\ndeny[")
    text = "package main\nimport data.lib\ndeny[msg] { lib.kinds.large; msg := `large` }\n"
    assert said(policy(tmp_path, text), DEPLOYMENT) == (Decision.DENY, ["large"])
    before = policy(tmp_path, text).bundle
    (tmp_path / "words.rego").write_text("package lib.words\nmost = 20\n")
    assert said(policy(tmp_path, text), DEPLOYMENT) == (Decision.ALLOW, [])
    assert policy(tmp_path, text).bundle != before

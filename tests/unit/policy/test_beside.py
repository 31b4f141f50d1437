"""Our bundle and other people's policies as one judge."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from finops_dagster.cli.checking import checks
from finops_dagster.defs.estate import Estate
from finops_dagster.domain.decisions import Decision, Proposal, Rung
from finops_dagster.domain.errors import SettingsError
from finops_dagster.policy.beside import JointJudge, load_beside
from finops_dagster.policy.bundle import RegoBundle
from finops_dagster.policy.judges import RegorusJudge
from finops_dagster.settings import load
from finops_dagster.setup.checks import Outcome

SAMPLES = Path(__file__).parents[3].parent / "shared" / "data" / "field_samples"
CPU_TEXT = """
package theirs
deny[msg] {
  input.spec.template.spec.containers[_].resources.requests.cpu == "500m"
  msg := "half a core is too little"
}
"""


SETTINGS = """\
estate: acme
billing: [{name: cloud, path: bill.csv}]
telemetry: [{name: t, path: bill.csv}]
"""


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    file = tmp_path / "theirs.rego"
    file.write_text(CPU_TEXT)
    return file


def test_proposals_are_judged_as_they_would_be(
    bundle: RegoBundle, theirs: Path, propose: Callable[..., Proposal], context: dict[str, Any]
) -> None:
    """Harm: their policy is asked about what is declared now, and the change breaks it later."""
    own = RegorusJudge(bundle)
    joint = JointJudge(own, [load_beside(theirs)])
    alone, verdict = own.judge(propose(), context), joint.judge(propose(), context)
    assert alone.decision is not Decision.DENY
    assert verdict.decision is Decision.DENY
    spoke = verdict.rules[0]
    assert (spoke.id, spoke.title, spoke.limit) == (
        "theirs.deny", "half a core is too little", "theirs.rego",
    )  # fmt: skip
    assert set(alone.rules) < set(verdict.rules)
    assert alone.rung is Rung.PROPOSE
    assert (verdict.rung, verdict.rung_reason) == (Rung.OBSERVE, "deny by theirs.deny")
    assert verdict.approvers == alone.approvers
    kept = joint.judge(propose(proposed="600m"), context)
    assert kept.decision is own.judge(propose(proposed="600m"), context).decision


def test_the_stamp_covers_everybody(bundle: RegoBundle, theirs: Path, tmp_path: Path) -> None:
    """Harm: another policy beside the bundle judges, and the verdicts look as if it had not."""
    own = RegorusJudge(bundle)
    assert JointJudge(own).bundle == bundle.id
    one = JointJudge(own, [load_beside(theirs)])
    parameters = tmp_path / "parameters.yaml"
    parameters.write_text("most: 3\n")
    stamps = {bundle.id, one.bundle, JointJudge(own, [load_beside(theirs, parameters)]).bundle}
    theirs.write_text(CPU_TEXT.replace("500m", "400m"))
    stamps.add(JointJudge(own, [load_beside(theirs)]).bundle)
    assert len(stamps) == 4
    assert one.judge_manifest({"kind": "Pod"}, "a#0").bundle == one.bundle


@pytest.mark.parametrize("text", ["- a\n", "a: [", ""])
def test_parameters_that_are_none(theirs: Path, tmp_path: Path, text: str) -> None:
    """Harm: a broken file of parameters asks their policy without any, and it is silent."""
    parameters = tmp_path / "parameters.yaml"
    parameters.write_text(text)
    with pytest.raises(SettingsError, match=r"parameters\.yaml"):
        load_beside(theirs, parameters)


def test_settings_name_them(theirs: Path, tmp_path: Path) -> None:
    """Harm: a policy named in the settings is not asked, or one that does not compile passes."""
    config = tmp_path / "finops.yaml"
    (tmp_path / "bill.csv").write_text("BilledCost\n")
    config.write_text(f"{SETTINGS}policy:\n  beside:\n    - path: theirs.rego\n")
    estate = Estate(load(config))
    assert [one.name for one in estate.judge.beside] == ["theirs.rego"]
    assert estate.judge.bundle != estate.judge.policies.id
    theirs.write_text("package broken\ndeny[msg] {")
    with pytest.raises(SettingsError, match="neither as v1"):
        Estate(load(config)).judge  # noqa: B018
    theirs.unlink()
    with pytest.raises(SettingsError, match="not there"):
        load(config)


def test_a_server_by_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Harm: the server that a company runs is set, and the embedded engine answers all the same."""
    monkeypatch.setenv("FINOPS_OPA_TOKEN", "only-for-tests")
    config = tmp_path / "finops.yaml"
    (tmp_path / "bill.csv").write_text("BilledCost\n")
    config.write_text(SETTINGS + "policy: {opa_url: 'http://127.0.0.1:1'}\n")
    judge = Estate(load(config)).judge
    assert type(judge.own).__name__ == "OpaRestJudge"
    assert "only-for-tests" not in f"{load(config)!r}"


def test_the_published_samples_beside_ours(
    bundle: RegoBundle, propose: Callable[..., Proposal], context: dict[str, Any]
) -> None:
    """Harm: the policies that a platform team runs already are not asked about proposals."""
    if not SAMPLES.is_dir():
        pytest.skip("needs shared/data/field_samples beside the project")
    joint = JointJudge(
        RegorusJudge(bundle),
        [load_beside(file) for file in sorted(SAMPLES.glob("*.rego"))],
    )
    pod = context["resource"]["manifest"]["spec"]["template"]["spec"]
    pod["nodeSelector"] = {"beta.kubernetes.io/instance-type": "g4dn.xlarge"}
    verdict = joint.judge(propose(), context)
    assert verdict.decision is Decision.DENY
    assert "kubernetes.admission.v1beta1.deny" in {rule.id for rule in verdict.rules}
    assert JointJudge(joint.own).judge(propose(), context).decision is not Decision.DENY


def test_the_doctor_tells_of_a_policy_that_does_not_compile(theirs: Path, tmp_path: Path) -> None:
    """Harm: a policy with a slip in it stops the nightly run, and nobody was told before."""
    (tmp_path / "bill.csv").write_text("BilledCost\n")
    config = tmp_path / "finops.yaml"
    config.write_text(f"{SETTINGS}policy: {{beside: [{{path: theirs.rego}}]}}\n")
    (check,) = [one for one in checks(load(config)) if one.name == "policies"]
    assert (check.result, check.detail[:7]) == (Outcome.OK, "bundle-")
    theirs.write_text("package theirs\ndeny[msg] {\n  msg := \n}\n")
    (check,) = [one for one in checks(load(config)) if one.name == "policies"]
    assert check.result is Outcome.FAIL
    assert "theirs.rego" in check.detail
    theirs.unlink()
    found = {one.name: one.result for one in checks(load(config, check_paths=False))}
    assert found["policy.beside[0].path"] is Outcome.FAIL

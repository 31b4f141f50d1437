"""What the mending of violations says of itself, for its model card.

What it found on a day is counted elsewhere.
"""

from __future__ import annotations

from finops_dagster.domain.decisions import FindingKind
from finops_dagster.domain.engines import EngineDescription, EngineKind

MENDING = EngineDescription(
    name="policy-mending",
    title="Values that mend a violation of policy",
    kind=EngineKind.RULE,
    version="policy/1",
    purpose="The one declared value that would mend a violation, where it can be known.",
    method="The rule's own answer is asked again with the value changed: a change counts only if "
    "that rule is broken no more, and no other.",
    features=("violations that stand", "the rendered manifests", "the bundle of policies"),
    parameters={},
    limits=(
        "Where more than one value could mend it, or what is right is not known, nothing is said.",
        "It holds a change against the rules, not against what the workload needs.",
    ),
    modules=("finops_dagster.policy.mending",),
    finds=frozenset({FindingKind.POLICY_VIOLATION}),
)
DESCRIPTIONS = (MENDING,)

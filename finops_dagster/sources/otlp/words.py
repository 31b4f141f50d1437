"""Names of OpenTelemetry's GenAI conventions through their versions, and what each is to us.

Sources: open-telemetry/semantic-conventions to v1.37 (docs/gen-ai), its attribute registry's
deprecated names, and semantic-conventions-genai after that (docs/gen-ai/gen-ai-token-metrics.md).
"""

from __future__ import annotations

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    # gen_ai.system until v1.36
    "provider": ("gen_ai.provider.name", "gen_ai.system"),
    # what answered is what is billed
    "model": ("gen_ai.response.model", "gen_ai.request.model"),
    "operation": ("gen_ai.operation.name",),
    "service": ("service.name",),
    "team": ("team", "service.owner", "owner"),
    "cluster": ("k8s.cluster.name",),
    "namespace": ("k8s.namespace.name", "service.namespace"),
}
"""Column -> attributes of a point or span, then of its resource, first found wins."""

WORKLOADS = {
    "k8s.deployment.name": "Deployment",
    "k8s.statefulset.name": "StatefulSet",
    "k8s.daemonset.name": "DaemonSet",
    "k8s.cronjob.name": "CronJob",
    "k8s.job.name": "Job",
}
"""Resource attribute -> kind of the workload it names; the first found wins."""

SPAN_TOKENS: dict[str, tuple[str, ...]] = {
    # prompt and completion until v1.27
    "input_tokens": ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens"),
    "output_tokens": ("gen_ai.usage.output_tokens", "gen_ai.usage.completion_tokens"),
    "cached_input_tokens": ("gen_ai.usage.cache_read.input_tokens",),
}
"""Count -> attributes of a span."""

BY_TYPE = "gen_ai.client.token.usage"
"""A histogram whose points say by `gen_ai.token.type` what they count."""
TYPE_ATTRIBUTE = "gen_ai.token.type"
TYPES = {"input": "input_tokens", "output": "output_tokens", "completion": "output_tokens"}
"""`completion` was `output` until v1.27."""

COUNTERS = {
    "gen_ai.client.inference.usage.input_tokens": "input_tokens",
    "gen_ai.client.inference.usage.output_tokens": "output_tokens",
    "gen_ai.client.inference.usage.cache_read.input_tokens": "cached_input_tokens",
}
"""Counters that took the histogram's place in 2026. They count the same: where a service has both,
the counters are taken."""

NOT_INFERENCE = frozenset(
    {"invoke_agent", "create_agent", "invoke_workflow", "execute_tool", "plan", "fetch_response"}
)
"""Operations around others: what they report, the operations inside them report as well."""

DELTA = (1, "AGGREGATION_TEMPORALITY_DELTA")
CUMULATIVE = (2, "AGGREGATION_TEMPORALITY_CUMULATIVE")

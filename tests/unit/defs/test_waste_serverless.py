"""What the shell hands on of policy to the judgement of functions."""

from __future__ import annotations

from collections.abc import Callable

from finops_dagster.defs.insight.waste.serverless import max_memory_mb


def test_the_limit_of_policy_is_that_of_the_environment() -> None:
    """A limit of production in development lets through what policy denies."""
    data = {
        "limits": {
            "environments": {"aliases": {"prod": "production"}},
            "serverless": {
                "defaults": {"max_memory_mib": 512},
                "environments": {"production": {"max_memory_mib": 1024}},
            },
        }
    }
    of: Callable[[str], float | None] = max_memory_mb(data)
    assert [of(name) for name in ("PROD", "production", "dev", "")] == [1024, 1024, 512, 512]
    assert max_memory_mb({})("prod") is None

"""Tags of what Kubernetes runs, as the product's own bills carry them.

Where a format finds cluster, namespace and workload is its own business.
"""

from __future__ import annotations

from collections.abc import Mapping


def tags(labels: str, names: Mapping[str, str]) -> str:
    """SQL of a map: the map `labels`, and over it `k8s-NAME` for each of `names` that is given.

    `names` maps cluster, namespace, workload-kind and so on to SQL of their text.
    """
    entries = ", ".join(f"{{'k': 'k8s-{name}', 'v': {sql}}}" for name, sql in names.items())
    own = f"map_from_entries(list_filter([{entries}], lambda e: e.v IS NOT NULL))"
    return f"map_concat(coalesce({labels}, MAP {{}}::MAP(VARCHAR, VARCHAR)), {own})"

"""Field paths: every dialect finds the same value."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from finops_dagster.desired_state.nodes import parse_file
from finops_dagster.desired_state.paths import leaves, resolve

TREE = parse_file(
    b"""
spec:
  hard: {requests.nvidia.com/gpu: "2", requests.cpu: "8", pods: 5}
  containers:
  - {name: server, args: [a, b]}
  - {name: "side car", args: [c]}
  rules:
  - {host: x}
  - {host: y}
metadata:
  labels: {app.kubernetes.io/name: web, 'quo"te': z}
""",
    "f.yaml",
).documents[0]


def test_canonical_paths() -> None:
    """Harm: two names for one value make two proposals that fight."""
    assert [path for path, _ in leaves(TREE)] == [
        'spec.hard["requests.nvidia.com/gpu"]',
        'spec.hard["requests.cpu"]',
        "spec.hard.pods",
        "spec.containers[name=server].name",
        "spec.containers[name=server].args[0]",
        "spec.containers[name=server].args[1]",
        'spec.containers[name="side car"].name',
        'spec.containers[name="side car"].args[0]',
        "spec.rules[0].host",
        "spec.rules[1].host",
        'metadata.labels["app.kubernetes.io/name"]',
        'metadata.labels["quo\\"te"]',
    ]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("spec.hard.requests.nvidia.com/gpu", 'spec.hard["requests.nvidia.com/gpu"]'),
        ("spec.hard['requests.cpu']", 'spec.hard["requests.cpu"]'),
        ("/spec/hard/requests.nvidia.com~1gpu", 'spec.hard["requests.nvidia.com/gpu"]'),
        ("spec.containers[0].args[1]", "spec.containers[name=server].args[1]"),
        ("spec.containers.0.args.1", "spec.containers[name=server].args[1]"),
        ("/spec/containers/1/args/0", 'spec.containers[name="side car"].args[0]'),
        ("spec.rules[host=y].host", "spec.rules[1].host"),
        ("spec.rules[2].host", None),
        ("spec.rules", None),
        ("spec..hard", None),
        ("spec.hard[", None),
        ("", None),
        ("/", None),
    ],
)
def test_dialects_resolve(asked: str, found: str | None) -> None:
    """Harm: a path printed by another tool is not understood, or means another value."""
    assert resolve(TREE, asked) == found


_KEYS = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=6)
_TREES = st.recursive(
    st.integers(0, 9),
    lambda inner: st.one_of(
        st.dictionaries(_KEYS, inner, max_size=3),
        st.lists(inner, max_size=3),
        st.lists(
            st.fixed_dictionaries({"name": _KEYS, "value": inner}), max_size=3,
            unique_by=lambda item: item["name"],
        ),
    ),
    max_leaves=8,
)  # fmt: skip


@given(st.dictionaries(_KEYS, _TREES, min_size=1, max_size=3))
def test_every_canonical_path_finds_itself(content: dict[str, object]) -> None:
    """Harm: a key with dots, brackets or quotes is listed but cannot be set."""
    data = yaml.safe_dump(content, allow_unicode=True).encode()
    (tree,) = parse_file(data, "f.yaml").documents
    paths = [path for path, _ in leaves(tree)]
    assert len(set(paths)) == len(paths)
    for path in paths:
        assert resolve(tree, path) == path

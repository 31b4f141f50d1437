"""What two commits declare differently in size: resources that begin, end, or ask for more or less.

Whether that moved any cost is for an engine to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from finops_dagster.desired_state.index import RepositoryIndex
from finops_dagster.domain.changes import FieldChange

_SIZES = re.compile(
    r"(?:^|[.\]])(?:requests|limits)[.\[]"
    r"|(?:^|[.\]_])(?:replicas?|size|count|capacity|concurrency|parallelism|completions"
    r"|schedule|suspend|start|end|recurrence"
    r"|storage|gi?b|iops|throughput|ttl|days"
    r"|(?:instance|machine|node|vm|accelerator)_(?:types?|class)"
    r"|sku|sku_name|tier|memory|timeout|multi_az|spot|engine)$",
    re.IGNORECASE,
)
"""Fields that say how much, how long or on what something runs: what it costs follows from them.
Kubernetes, KServe, KEDA, Helm's usual values, Terraform's and CloudFormation's arguments; words in
capitals are read as if `_` stood between them."""
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


@dataclass(frozen=True)
class Declared:
    """A resource that one commit declares otherwise than the other."""

    resource: str
    begins: bool
    ends: bool
    fields: tuple[FieldChange, ...]
    """Sizes that changed; none where it begins or ends."""
    files: tuple[str, ...]
    """Where the values that differ are written."""


def changed_sizes(before: RepositoryIndex, after: RepositoryIndex) -> Iterator[Declared]:
    """Resources that begin, end or change in size from `before` to `after`, by name."""
    old, new = before.resources(), after.resources()
    for name in sorted(old.keys() | new.keys()):
        if name not in old or name not in new:
            index = after if name in new else before
            files = {scalar.file for scalar in index.values(name).values()}
            yield Declared(name, name in new, name in old, (), tuple(sorted(files)))
        elif old[name].manifest != new[name].manifest:
            fields, files = _differing(name, before, after)
            if fields:
                yield Declared(name, False, False, tuple(fields), tuple(sorted(files)))


def _differing(
    name: str, before: RepositoryIndex, after: RepositoryIndex
) -> tuple[list[FieldChange], set[str]]:
    was, now = before.values(name), after.values(name)
    fields: list[FieldChange] = []
    files: set[str] = set()
    for path in sorted(was.keys() | now.keys()):
        left, right = was.get(path), now.get(path)
        texts = left.text if left else None, right.text if right else None
        if texts[0] != texts[1] and _SIZES.search(_WORDS.sub("_", path)):
            fields.append(FieldChange(field=path, before=texts[0], after=texts[1]))
            files |= {one.file for one in (left, right) if one is not None}
    return fields, files

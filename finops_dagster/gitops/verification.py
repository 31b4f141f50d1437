"""The proof after an edit: read again, exactly the intended value differs and nothing else.

The index that reads again is handed in; edits are planned in edits.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

from finops_dagster.domain.decisions import DeclaredResource, Edit, ValueLocation
from finops_dagster.domain.protocols import DesiredState
from finops_dagster.gitops.edits import apply_edits, plan_edit
from finops_dagster.gitops.refusals import refusal
from finops_dagster.gitops.yaml_text import is_quantity_field


class EditableState(DesiredState, Protocol):
    """A desired-state index that can be read again with other bytes."""

    def read(self, file: str) -> bytes:
        """Bytes of a file at the commit."""
        ...

    def with_changes(self, changes: Mapping[str, bytes]) -> DesiredState:
        """The index as it would be with some files' bytes replaced; nothing is written."""
        ...

    def overlay(self, resource: str) -> tuple[str, str]:
        """(kustomization file that alone builds a resource, why nothing may be added to it)."""
        ...

    def is_free(self, file: str) -> bool:
        """Whether nothing at all has that name."""
        ...


def edit_value(
    state: EditableState, location: ValueLocation, value: str
) -> tuple[Edit, bytes, bytes]:
    """(edit, file before, file after), proven to change this one value of this one resource.

    Raises Stopped, with the reason, if it cannot be done or would change anything else.
    """
    if not location.editable:
        # Said before the file is read: it may not be there, as one that a generator names.
        raise refusal("not_editable", location, location.reason)
    before = state.read(location.file)
    edit = plan_edit(location, value, before)
    after = apply_edits(before, (edit,))
    verify(state, state.with_changes({location.file: after}), location, value)
    return edit, before, after


def verify(before: DesiredState, after: DesiredState, location: ValueLocation, value: str) -> None:
    """Raises Stopped unless `after` is `before` with `location`'s value reading `value`."""
    old, new = before.resources(), after.resources()
    if old.keys() != new.keys():
        lost = ", ".join(sorted(old.keys() ^ new.keys())[:3])
        raise refusal("changes_more", location, f"the edit would add or remove {lost}")
    differing = [name for name in old if _forms(old[name]) != _forms(new[name])]
    others = ", ".join(
        name for name in differing if name != location.resource and name not in location.follows
    )
    if others or location.resource not in differing:
        reason = f"the edit would also change {others}" if others else "the edit changes nothing"
        raise refusal("changes_more", location, reason)
    changes = [
        list(_differences(json.loads(one), json.loads(other)))
        for one, other in zip(
            _forms(old[location.resource]), _forms(new[location.resource]), strict=True
        )
        if one != other
    ]
    changed = changes[0]
    now = after.locate(location.resource, location.field)
    alone = len(changed) == 1 and all(one == changed for one in changes)
    if not alone or now is None or now.value != value or now.field != location.field:
        raise refusal("changes_more", location, "the edit would not change this value alone")
    if not now.editable:
        reason = f"the new value would not be read as it is written: {now.reason}"
        raise refusal("bad_value", location, reason)
    was, becomes = changed[0]
    numbers = isinstance(was, int | float) and isinstance(becomes, int | float)
    same_kind = type(was) is type(becomes) or (numbers and not isinstance(becomes, bool))
    if not same_kind and not is_quantity_field(location.field):
        raise refusal("kind", location, f"{was!r} would become {becomes!r}, of another kind")


def _forms(declared: DeclaredResource) -> tuple[str, ...]:
    """The resource as each root renders it."""
    return (declared.manifest, *declared.variants)


def _differences(old: Any, new: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in old.keys() | new.keys():
            yield from _differences(old.get(key), new.get(key))
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for one, other in zip(old, new, strict=True):
            yield from _differences(one, other)
    elif old != new or type(old) is not type(new):
        yield old, new

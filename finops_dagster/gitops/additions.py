"""A manifest that is added as a new file: where it goes, and the proof that it adds only itself.

What it says is written elsewhere; changes of values that are there are in changes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import yaml

from finops_dagster.domain.decisions import Abstained, Edit, Proposal
from finops_dagster.gitops.verification import EditableState

MAX_BYTES = 20_000
"""Of a manifest that is added: a card is a page, and a reviewer reads all of it."""
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,251}[a-z0-9])?\Z")
"""RFC 1123 names without dots: nothing in them means anything to a file system."""


def plan_addition(
    proposal: Proposal, state: EditableState, folder: str, allowed: Callable[[str], bool]
) -> tuple[Edit, ...] | Abstained:
    """One new file in `folder` that declares `proposal.resource`, or why there is none.

    Proven by reading the repository again with it: exactly that resource begins, with exactly that
    content, and no other differs. A resource that is declared already is a reason.
    """

    def refused(reason: str) -> Abstained:
        return Abstained(subject=proposal.resource, reason=reason)

    if not folder:
        return refused("the settings name no folder for it (ai.cards_folder)")
    if proposal.resource in state.resources():
        return refused("it is declared already")
    if len(proposal.document.encode()) > MAX_BYTES:
        return refused(f"its manifest is longer than {MAX_BYTES:,} bytes")
    try:
        meant = yaml.safe_load(proposal.document)
    except yaml.YAMLError:
        return refused("its manifest is no YAML of one document")
    _, namespace, name = proposal.resource.split("/", 2)
    names = [name, f"{namespace}-{name}"]
    if not all(_NAME.match(one) for one in names):
        return refused("its name cannot be a file's")
    files = [f"{folder.strip('/')}/{one}.yaml" for one in names]
    file = next((one for one in files if state.is_free(one)), None)
    if file is None:
        return refused(f"{files[0]} and {files[1]} are there already")
    if not allowed(file):
        return refused(f"{file} is not among the paths settings allow")
    before, after = state.resources(), state.with_changes({file: proposal.document.encode()})
    now = after.resources()
    if now.keys() - before.keys() != {proposal.resource}:
        return refused(f"{file} would not declare it, and it alone")
    more = sorted(one for one in before if before[one] != now.get(one))
    if more:
        return refused(f"{file} would also change {more[0]}")
    if json.loads(now[proposal.resource].manifest) != meant:
        return refused(f"{file} would not be read as it is written")
    return (
        Edit(
            file=file,
            start_byte=0,
            end_byte=0,
            before="",
            after=proposal.document,
            creates=True,
        ),
    )

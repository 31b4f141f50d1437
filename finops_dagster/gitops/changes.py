"""From a proposal to the exact edits at one base commit, on paths that settings allow.

No forge is known here, and nothing is written.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from finops_dagster.domain.decisions import Abstained, ChangeSet, Edit, Proposal, ValueLocation
from finops_dagster.domain.errors import Stopped
from finops_dagster.domain.ids import content_id
from finops_dagster.gitops.additions import plan_addition
from finops_dagster.gitops.edits import apply_edits
from finops_dagster.gitops.overlays import plan_overlay
from finops_dagster.gitops.verification import EditableState, edit_value
from finops_dagster.gitops.wanted import Wanted

BRANCH_PREFIX = "finops/"
_SLUG_CHARACTERS = 48
_NEVER = re.compile(
    r"(?:^|/)\.git(?:/|\Z|hub/|lab/|lab-ci\.|modules\Z|attributes\Z)|(?:^|/)\.(?:circleci|tekton)/"
    r"|(?:^|/)(?:azure-pipelines|bitbucket-pipelines|\.travis|\.pre-commit-config)\.ya?ml\Z"
    r"|(?:^|/)(?:CODEOWNERS|Jenkinsfile)\Z|(?:^|/)policies/|\.rego\Z",
    re.IGNORECASE,
)
"""Git's own files, what CI runs, who owns files and policies: never edited, whatever is allowed."""


def plan_change_set(
    proposal: Proposal,
    desired_state: EditableState,
    allowed_paths: Sequence[str],
    additions: str = "",
) -> ChangeSet | Abstained:
    """The change set of a proposal at the index's commit, or why there is none.

    `additions`: folder to which manifests of proposals with a `document` are added. Proven by
    reading the edited files again: this value of this resource changes, nothing else.
    """
    subject = f"{proposal.resource} {proposal.field}".strip()
    if proposal.document:
        added = plan_addition(
            proposal, desired_state, additions, lambda path: is_allowed(path, allowed_paths)
        )
        return added if isinstance(added, Abstained) else _set(proposal, desired_state, added)
    if not proposal.field or not proposal.proposed:
        return Abstained(subject=subject, reason="no edit is known for this finding")
    location = desired_state.locate(proposal.resource, proposal.field)
    if location is None:
        return Abstained(
            subject=subject,
            reason="nothing that can be read declares this value "
            "(`finops desired-state index` lists the files that are refused)",
        )
    if not location.editable and not location.shared:
        return Abstained(subject=subject, reason=location.reason)
    if proposal.current and location.value != proposal.current:
        return Abstained(
            subject=subject,
            reason=f"the desired state says {location.value!r} now, "
            f"the proposal was made for {proposal.current!r}",
        )
    edits: tuple[Edit, ...] | Abstained
    if location.shared:
        edits = plan_overlay(
            proposal, location, desired_state, lambda path: is_allowed(path, allowed_paths)
        )
    else:
        edits = _edited_in_place(proposal, location, desired_state, allowed_paths)
    if isinstance(edits, Abstained):
        return edits
    return _set(proposal, desired_state, edits)


def _set(proposal: Proposal, state: EditableState, edits: tuple[Edit, ...]) -> ChangeSet:
    return ChangeSet(proposal_id=proposal.id, key=proposal.key, base_sha=state.commit, edits=edits)


def _edited_in_place(
    proposal: Proposal,
    location: ValueLocation,
    desired_state: EditableState,
    allowed_paths: Sequence[str],
) -> tuple[Edit, ...] | Abstained:
    subject = f"{proposal.resource} {proposal.field}"
    if not is_allowed(location.file, allowed_paths):
        return Abstained(
            subject=subject, reason=f"{location.file} is not among the paths settings allow"
        )
    try:
        edit, _, _ = edit_value(desired_state, location, proposal.proposed)
    except Stopped as refused:
        return Abstained(subject=subject, reason=refused.message.removeprefix(f"{subject}: "))
    return (edit,)


def is_allowed(path: str, globs: Sequence[str]) -> bool:
    """Whether a repository path may be edited: `*` stays in one folder, `**` crosses folders.

    No glob allows nothing. Absolute paths, `..` and what is never edited never match.
    """
    parts = path.split("/")
    if path.startswith("/") or "\\" in path or any(part in ("", ".", "..") for part in parts):
        return False
    if _NEVER.search(path):
        return False
    return any(_pattern(glob).match(path) for glob in globs)


@lru_cache(maxsize=256)
def _pattern(glob: str) -> re.Pattern[str]:
    pieces: list[str] = []
    for token in re.findall(r"\*\*/|\*\*|\*|\?|[^*?]+", glob.removeprefix("./")):
        pieces.append(
            {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}.get(
                token, re.escape(token)
            )
        )
    return re.compile("".join(pieces) + r"\Z", re.DOTALL)


def branch_of_value(file: str, resource: str, field: str) -> str:
    """`finops/FILE-HASH`: one branch per written value, whatever the numbers or kinds say today.

    The value's path is that in the resource, which names the document in the file.
    """
    return _branch(file, content_id("branch", {"file": file, "resource": resource, "field": field}))


def branch_of_group(name: str, key: str) -> str:
    """`finops/NAME-HASH-PART`: one branch per group, whoever is in it today."""
    return _branch(name, key)


def _branch(name: str, identity: str) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:_SLUG_CHARACTERS]
    return f"{BRANCH_PREFIX}{slug.strip('-') or 'change'}-{identity.partition('-')[2]}"


def is_branch_of_ours(branch: str) -> bool:
    """Whether a name is one that is made here."""
    pattern = rf"{re.escape(BRANCH_PREFIX)}[a-z0-9-]*-[0-9a-f]{{16}}(-[0-9]+)?"
    return re.fullmatch(pattern, branch) is not None


def combined(key: str, changes: Sequence[ChangeSet]) -> ChangeSet:
    """Several change sets on one base as one; an edit that several make is made once."""
    edits = {edit: None for one in changes for edit in one.edits}
    return ChangeSet(
        proposal_id=changes[0].proposal_id,
        key=key,
        base_sha=changes[0].base_sha,
        edits=tuple(sorted(edits, key=lambda edit: (edit.file, edit.start_byte, edit.after))),
    )


def refusal_together(items: Sequence[Wanted], desired_state: EditableState) -> str:
    """Why changes that are each proven alone cannot be made together; empty where they can.

    Proven as one is: the edited files are read again, every value reads as proposed, and no
    resource differs that none of them is about.
    """
    whole = combined("", [one.changes for one in items])
    if whole.base_sha != desired_state.commit:
        return "they were planned for another commit"
    written: dict[str, bytes] = {}
    meant: set[str] = set()
    for file in {edit.file for edit in whole.edits}:
        edits = [edit for edit in whole.edits if edit.file == file]
        made = any(edit.creates for edit in edits)
        if made and len(edits) > 1:
            return f"several would make {file}"
        try:
            written[file] = apply_edits(b"" if made else desired_state.read(file), edits)
        except Stopped as refused:
            return refused.message
    after = desired_state.with_changes(written)
    for proposal, _, _ in items:
        if proposal.document:
            meant.add(proposal.resource)
            if proposal.resource not in after.resources():
                return f"{proposal.resource} would not be declared"
            continue
        location = desired_state.locate(proposal.resource, proposal.field)
        meant |= {proposal.resource, *(location.follows if location is not None else ())}
        now = after.locate(proposal.resource, proposal.field)
        if now is None or now.value != proposal.proposed:
            return f"{proposal.resource} {proposal.field} would not read {proposal.proposed!r}"
    old, new = desired_state.resources(), after.resources()
    others = (old.keys() | new.keys()) - meant
    more = sorted(
        name
        for name in others
        if old.get(name) is not new.get(name) and old.get(name) != new.get(name)
    )
    return f"{more[0]} would change too" if more else ""

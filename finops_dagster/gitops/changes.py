"""From a proposal to the exact edits at one base commit, on paths that settings allow.

No forge is known here, and nothing is written.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from finops_dagster.domain.decisions import Abstained, ChangeSet, Proposal
from finops_dagster.domain.errors import Stopped
from finops_dagster.gitops.verification import EditableState, edit_value

BRANCH_PREFIX = "finops/"
_SLUG_CHARACTERS = 48
_NEVER = re.compile(r"(?:^|/)\.git(?:/|\Z)|(?:^|/)\.github/workflows/")
"""Git's own files and what CI runs are never edited, whatever settings allow."""


def plan_change_set(
    proposal: Proposal, desired_state: EditableState, allowed_paths: Sequence[str]
) -> ChangeSet | Abstained:
    """The change set of a proposal at the index's commit, or why there is none.

    Proven by reading the edited files again: this value of this resource changes, nothing else.
    """
    subject = f"{proposal.resource} {proposal.field}".strip()
    if not proposal.field or not proposal.proposed:
        return Abstained(subject=subject, reason="no edit is known for this finding")
    location = desired_state.locate(proposal.resource, proposal.field)
    if location is None:
        return Abstained(
            subject=subject,
            reason="nothing that can be read declares this value "
            "(`finops desired-state index` lists the files that are refused)",
        )
    if not location.editable:
        return Abstained(subject=subject, reason=location.reason)
    if proposal.current and location.value != proposal.current:
        return Abstained(
            subject=subject,
            reason=f"the desired state says {location.value!r} now, "
            f"the proposal was made for {proposal.current!r}",
        )
    if not is_allowed(location.file, allowed_paths):
        return Abstained(
            subject=subject, reason=f"{location.file} is not among the paths settings allow"
        )
    try:
        edit, _, _ = edit_value(desired_state, location, proposal.proposed)
    except Stopped as refused:
        return Abstained(subject=subject, reason=refused.message.removeprefix(f"{subject}: "))
    return ChangeSet(
        proposal_id=proposal.id, key=proposal.key, base_sha=desired_state.commit, edits=(edit,)
    )


def is_allowed(path: str, globs: Sequence[str]) -> bool:
    """Whether a repository path may be edited: `*` stays in one folder, `**` crosses folders.

    No glob allows nothing. Absolute paths, `..`, Git's own files and CI workflows never match.
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


def branch_name(proposal: Proposal) -> str:
    """`finops/RESOURCE-HASH`: one branch per value, the same whatever the numbers say today."""
    slug = re.sub(r"[^a-z0-9]+", "-", proposal.resource.lower()).strip("-")[:_SLUG_CHARACTERS]
    return f"{BRANCH_PREFIX}{slug.strip('-') or 'change'}-{proposal.key.rpartition('-')[2]}"


def key_of_branch(branch: str) -> str | None:
    """The proposal key in a branch name that `branch_name` made, else None."""
    match = re.fullmatch(rf"{re.escape(BRANCH_PREFIX)}[a-z0-9-]*-([0-9a-f]{{16}})", branch)
    return f"key-{match[1]}" if match else None

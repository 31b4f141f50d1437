"""Checks of the forge: what the token may do, and whether the target branch is protected.

Nothing here writes to a forge. Whether its repository can be read is checked in repository.py.
"""

from __future__ import annotations

from collections.abc import Iterator

from finops_dagster.domain.decisions import Rung
from finops_dagster.domain.errors import FinopsError
from finops_dagster.domain.pull_requests import Permission, Protection
from finops_dagster.settings.model import Settings
from finops_dagster.setup.checks import Check, Outcome, Probes, fail, ok, warn

_ONLY_TOLD = ("administration",)
"""Rights without which less is told, but everything done."""


def check_forge(settings: Settings, probes: Probes) -> list[Check]:
    """Each right against the minimum, then protection and automatic merging."""
    desired = settings.desired_state
    if desired is None:
        fix = "Describe the repository under `desired_state`."
        return [fail("desired_state", "none: there is no forge", fix)]
    try:
        permissions = probes.permissions()
        protection = probes.protection(desired.branch)
    except FinopsError as error:
        fix = "; ".join(fault.hint for fault in error.faults) or "See docs/github.md."
        return [fail(desired.forge, error.message, fix)]
    return [
        *(_right(one, acts=settings.act) for one in permissions),
        *_protection(protection, automerges=settings.autonomy is Rung.AUTOMERGE),
    ]


def _right(one: Permission, *, acts: bool) -> Check:
    name, detail = f"right {one.name}", f"for {one.needed_for}: {one.detail}"
    if one.given:
        return ok(name, detail)
    if one.given is None:
        return warn(name, detail, "See in the token's settings that it has this right.")
    fix = f"Give the token {one.name}; docs/github.md lists the least it needs."
    serious = acts and one.name not in _ONLY_TOLD
    return Check(name, Outcome.FAIL if serious else Outcome.WARN, detail, fix)


def _protection(found: Protection, *, automerges: bool) -> Iterator[Check]:
    name = f"protection of {found.branch}"
    asked = [f"{found.reviews} review{'' if found.reviews == 1 else 's'}"] if found.reviews else []
    asked += [f"check {context}" for context in found.checks]
    if found.holds:
        yield ok(name, ", ".join(asked) + (f" ({found.reason})" if found.reason else ""))
    else:
        why = found.reason or "nothing is asked before a merge"
        yield warn(name, why, "Ask for reviews or checks before a merge into this branch.")
    refused = "refused: "
    if not found.holds:
        refused += f"{found.branch} is not protected"
    elif not found.automerge:
        refused += "the repository does not allow auto-merge"
    else:
        yield ok("automerge", "by the forge, once its protection is satisfied")
        return
    if automerges:
        fix = "Protect the branch and allow auto-merge, or set `autonomy: propose`."
        yield warn("automerge", refused, fix)
    else:
        yield ok("automerge", f"{refused}; settings do not ask for it")

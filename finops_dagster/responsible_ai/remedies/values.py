"""Which declared value names the version that is served, and how a value reads once it is changed.

Which change is right is decided in choosing; whether a file may be edited, by gitops.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, timedelta

from finops_dagster.domain.decisions import Abstained, ValueLocation

CANARY_FIELD = "spec.predictor.canaryTrafficPercent"
"""Percent of the traffic that the newest revision gets (KServe, serving.kserve.io/v1beta1)."""
_SAYS_NOTHING_OF_SERVING = re.compile(r"(?:^|\.)metadata\.|(?:^|\.)status\.")
"""Labels and annotations repeat a version for people: changing them serves no other one."""
_SEPARATORS = re.compile(r"([/:@?=&,\s])")
_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})(T00:00:00(?:\.0+)?(?:Z|\+00:00))?\Z")
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}\Z")


def serving(
    values: Iterable[ValueLocation], version: str, subject: str
) -> ValueLocation | Abstained:
    """The one value that holds `version` as a segment of its path, its tag, or all of it.

    `values` are those of one workload. Several, none, and an image held by its digest, which no
    log tells, are a reason.
    """
    named = [
        one
        for one in values
        if not _SAYS_NOTHING_OF_SERVING.search(one.field) and names(one.value, version)
    ]
    if not named:
        return Abstained(
            subject=subject,
            reason=f"no declared value of its workload names version {version}: name the value in "
            "the settings (models.remedies.version)",
        )
    if len(named) > 1:
        fields = ", ".join(one.field for one in named[:3])
        return Abstained(
            subject=subject,
            reason=f"{len(named)} declared values name version {version} ({fields}): say which one "
            "is served in the settings (models.remedies.version)",
        )
    return named[0]


def names(value: str, version: str) -> bool:
    """Whether `version` is a segment of `value`, with or without a `v` before it."""
    return bool(version) and any(_is(part, version) for part in _SEPARATORS.split(value))


def with_version(value: str, old: str, new: str) -> str | None:
    """`value` with segment `old` as `new`; None where it names `old` not once, or by a digest."""
    parts = _SEPARATORS.split(value)
    places = [at for at, part in enumerate(parts) if _is(part, old)]
    if len(places) != 1 or not new or _SEPARATORS.search(new) or _DIGEST.search(value):
        return None
    (at,) = places
    prefix = parts[at][: len(parts[at]) - len(old)]
    parts[at] = prefix + new.removeprefix(prefix)
    return "".join(parts)


def _is(part: str, version: str) -> bool:
    return part in (version, f"v{version}")


def until(value: str, as_of: date) -> str | None:
    """A date up to which data are trained on, brought up to the last whole week by `as_of`.

    Whole weeks (to a Sunday), so that an open pull request is not written again, and approvals of
    it are not lost, every day. None where `value` is no date; its form is kept.
    """
    match = _DATE.match(value)
    if match is None:
        return None
    sunday = as_of - timedelta(days=as_of.isoweekday() % 7)
    return f"{sunday.isoformat()}{match[2] or ''}"


def date_of(value: str) -> date | None:
    """The date that a value is; None where it is none."""
    match = _DATE.match(value)
    try:
        return date.fromisoformat(match[1]) if match else None
    except ValueError:
        return None

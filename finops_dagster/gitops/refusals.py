"""Why a value is not edited, in the words of the house; no file is known here."""

from __future__ import annotations

from finops_dagster.domain.decisions import ValueLocation
from finops_dagster.domain.errors import Fault, Stopped


def refusal(code: str, location: ValueLocation, reason: str) -> Stopped:
    """A refusal to edit, in the words of the house."""
    return Stopped(
        f"{location.resource} {location.field}: {reason}",
        (
            Fault(
                code=code,
                file=location.file,
                expected=f"{location.resource} {location.field}: {reason}.",
                hint="Change it by hand, or choose another value.",
            ),
        ),
    )

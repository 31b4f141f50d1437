"""What was changed on purpose: in Git, or by buying ahead. Plain data.

How it is read is the business of the desired state and the warehouse; what of a cost it explains,
of the engine.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class By(StrEnum):
    """By what a move of cost was to be expected."""

    KNOWN_EVENT = "known_event"
    """The settings tell of it."""
    GIT = "git"
    """A commit declares more, less, or something else."""
    COMMITMENT = "commitment"
    """A commitment begins or ends."""


class FieldChange(_Frozen):
    """A declared value; None on the side on which there is none."""

    field: str
    before: str | None
    after: str | None


class Commit(_Frozen):
    """One commit of the branch that is deployed."""

    sha: str
    on: date
    """UTC, by its committer."""
    subject: str
    """First line of what it says: text of other people."""


class Change(_Frozen):
    """One resource or commitment, between two days."""

    key: str
    """KIND/NAMESPACE/NAME of a resource, or the account of a commitment."""
    by: By
    begins: bool = False
    ends: bool = False
    fields: tuple[FieldChange, ...] = ()
    """How much it asks for, where it neither begins nor ends."""
    commits: tuple[Commit, ...] = ()
    """Oldest first; those that touch its files between the two days."""
    name: str = ""
    """For people, where it is not the key."""

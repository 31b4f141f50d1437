"""Keys of finops.yaml about who judges: other people's policies, an OPA server.

The bundle itself is a key of its own; what rules say is Rego.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from finops_dagster.settings.types import Section


class ForeignPolicySettings(Section):
    """A Rego file, or a folder of them, of somebody else's, asked beside the bundle."""

    path: Path = Field(description="Rego file or folder.", examples=["policies/theirs.rego"])
    parameters: Path | None = Field(
        default=None,
        description="YAML or JSON file of what Gatekeeper would give it as input.parameters; "
        "empty: nothing.",
        examples=["policies/theirs-parameters.yaml"],
    )


class PolicySettings(Section):
    """Who judges beside the embedded engine and the bundle."""

    beside: tuple[ForeignPolicySettings, ...] = Field(
        default=(),
        description="Rego files with deny, violation or warn rules, run unchanged on what is "
        "proposed and declared; the severest answer counts.",
        examples=[[{"path": "policies/theirs.rego"}]],
    )
    opa_url: str | None = Field(
        default=None,
        pattern=r"^https?://\S+$",
        description="OPA server that judges in place of the embedded engine; empty: none.",
        examples=["http://opa.internal:8181"],
    )

"""Keys of finops.yaml about the GitOps repository and its forge.

What is opened there, and when, is among the keys of pull requests.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from finops_dagster.settings.types import Section


class DesiredStateSettings(Section):
    """The GitOps repository that declares what runs."""

    forge: Literal["local", "github"] = Field(
        default="local", description="local: a bare Git repository on disk; github: GitHub."
    )
    repository: str = Field(
        description="Path of the bare repository (local), or OWNER/NAME (github).",
        examples=["gitops.git"],
    )
    branch: str = Field(
        default="main",
        # The safe part of git-check-ref-format: the name is handed to git.
        pattern=r"^[A-Za-z0-9_][A-Za-z0-9_./-]{0,200}$",
        description="Branch that pull requests aim at.",
    )
    allowed_paths: tuple[str, ...] = Field(
        default=(), description="Globs of files that may be edited; empty means none."
    )
    api_url: str = Field(
        default="https://api.github.com",
        pattern=r"^https?://\S+$",
        description="API of the GitHub server; of GitHub Enterprise Server https://HOST/api/v3.",
    )
    app_id: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._-]{1,60}$",
        description="GitHub App, by its id or client id, in place of a token; its private key is "
        "FINOPS_GITHUB_APP_KEY in the environment.",
    )
    installation_id: int | None = Field(
        default=None, ge=1, description="That App's installation on the repository's owner."
    )

    @model_validator(mode="after")
    def _repository_fits_forge(self) -> DesiredStateSettings:
        owner, slash, name = self.repository.partition("/")
        if self.forge == "github" and not (owner and slash and name and "/" not in name):
            raise ValueError("with forge: github, repository must be OWNER/NAME")
        if (self.app_id is None) != (self.installation_id is None):
            raise ValueError("app_id and installation_id come together")
        return self

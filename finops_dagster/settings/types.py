"""What sections of finops.yaml are made of: places, and groups of keys that refuse unknown ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

PLACE_SCHEMES = ("s3", "gs", "gcs", "az", "abfs", "abfss", "http", "https")


def place(value: Any) -> Any:
    """A path, or a URL of a store that has its own way to credentials."""
    if isinstance(value, str) and "://" in value:
        scheme, _, rest = value.partition("://")
        user, at, _ = rest.split("/", 1)[0].rpartition("@")
        if scheme.lower() not in PLACE_SCHEMES:
            raise ValueError(f"a path, or a URL of {', '.join(PLACE_SCHEMES)}")
        # abfs://CONTAINER@ACCOUNT.dfs.core.windows.net names no user
        if at and (":" in user or not scheme.lower().startswith("abfs")):
            raise ValueError("no user and no password in a URL; give the provider's credentials")
        if "?" in rest and not scheme.lower().startswith("http"):
            raise ValueError("no query in a URL; give the provider's own credentials")
        return value
    if isinstance(value, str | Path):
        return Path(value)
    raise ValueError("a path or a URL")


Place = Annotated[Path | str, BeforeValidator(place)]
"""A `str` is a URL."""

Workload = Annotated[str, Field(pattern=r"^[A-Za-z]+/[^/\s]+/[^/\s]+$")]
"""KIND/NAMESPACE/NAME."""


def drop_empty(cls: type[BaseModel], data: Any) -> Any:
    """A key or section left empty in the file means its default, as if it were not written."""
    if not isinstance(data, dict):
        return data
    return {
        key: value
        for key, value in data.items()
        if value is not None or key not in cls.model_fields
    }


class Section(BaseModel):
    """A group of keys: unknown keys are refused, empty ones mean their default."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_default(cls, data: Any) -> Any:
        return drop_empty(cls, data)

"""Keys of language models: by which billed meters, or on which workload, their tokens are paid for.

How a file becomes these types is the business of `reading`; the other keys are in `model`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from finops_dagster.settings.types import Section, Workload


class TokenMeter(Section):
    """A billed meter of one type of a language model's tokens."""

    tokens: Literal["input", "cached_input", "output"] = Field(
        description="Which tokens it counts. Without a meter of cached_input, cached tokens are "
        "input.",
        examples=["output"],
    )
    service: str = Field(
        min_length=1,
        description="FOCUS ServiceName; `*` stands for anything, case is ignored.",
        examples=["Amazon Bedrock"],
    )
    meter: str = Field(
        min_length=1,
        description="FOCUS SkuMeter or SkuId; likewise.",
        examples=["*Nova-lite-output-tokens*"],
    )


class LanguageModelSettings(Section):
    """A language model: what of the bill its tokens are, or the workload that makes them."""

    provider: str = Field(
        min_length=1,
        description="gen_ai.provider.name, as in the token usage.",
        examples=["aws.bedrock"],
    )
    model: str = Field(
        min_length=1,
        description="Model, as in the token usage.",
        examples=["amazon.nova-lite-v1:0"],
    )
    aliases: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(), description="Other names it has there; `*` stands for anything."
    )
    meters: tuple[TokenMeter, ...] = Field(
        default=(), description="The billed meters of its tokens; the first that fits counts."
    )
    workload: Workload | None = Field(
        default=None,
        description="KIND/NAMESPACE/NAME of the Kubernetes workload that answers, of a model that "
        "runs on machines of one's own.",
    )

    @model_validator(mode="after")
    def _is_paid_for_once(self) -> LanguageModelSettings:
        if self.meters and self.workload is not None:
            raise ValueError("say by which `meters` it is billed or on which `workload` it runs")
        return self

"""Serverless functions out of the files that declare them: Serverless Framework, SAM.

Each becomes a resource of kind ServerlessFunction with `spec.memory` in MiB; nothing is judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from finops_dagster.policy.inputs import mapping

_FRAMEWORK_DEFAULT_MIB = 1024
"""https://www.serverless.com/framework/docs/providers/aws/guide/functions: memorySize."""
_LAMBDA_DEFAULT_MIB = 128
"""https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html."""
_SAM_TYPE = "AWS::Serverless::Function"
_LAMBDA_TYPE = "AWS::Lambda::Function"
_STAGE = re.compile(r"[A-Za-z0-9_-]+\Z")


def functions_of(content: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Functions that the document declares; None where it is no such document."""
    if "apiVersion" in content:
        return None
    if isinstance(content.get("functions"), dict) and "provider" in content:
        return list(_framework(content))
    resources = content.get("Resources")
    if isinstance(resources, dict):
        return list(_template(content, resources))
    return None


def _framework(content: dict[str, Any]) -> Iterator[dict[str, Any]]:
    provider = mapping(content.get("provider"))
    stage = provider.get("stage")
    shared = mapping(provider.get("tags")) | mapping(provider.get("stackTags"))
    for name, function in content["functions"].items():
        function = mapping(function)
        memory = function.get("memorySize", provider.get("memorySize", _FRAMEWORK_DEFAULT_MIB))
        labels = shared | mapping(function.get("tags"))
        if isinstance(stage, str) and _STAGE.match(stage):
            labels.setdefault("environment", stage)
        yield _function(name, memory, labels)


def _template(content: dict[str, Any], resources: dict[str, Any]) -> Iterator[dict[str, Any]]:
    shared = mapping(mapping(content.get("Globals")).get("Function"))
    for name, resource in resources.items():
        kind = mapping(resource).get("Type")
        if kind not in {_SAM_TYPE, _LAMBDA_TYPE}:
            continue
        own = mapping(resource.get("Properties"))
        inherited = shared if kind == _SAM_TYPE else {}
        memory = own.get("MemorySize", inherited.get("MemorySize", _LAMBDA_DEFAULT_MIB))
        labels = _tags(inherited.get("Tags")) | _tags(own.get("Tags"))
        yield _function(name, _parameter(memory, content), labels)


def _parameter(value: Any, content: dict[str, Any]) -> Any:
    """A reference to a parameter stands for that parameter's default."""
    name = value.get("Ref", value.get("!Ref")) if isinstance(value, dict) else None
    parameter = mapping(mapping(content.get("Parameters")).get(name)) if name else {}
    return parameter.get("Default", value)


def _tags(value: Any) -> dict[str, Any]:
    if isinstance(value, list):
        return {
            item["Key"]: item.get("Value")
            for item in value
            if isinstance(item, dict) and isinstance(item.get("Key"), str)
        }
    return mapping(value)


def _function(name: str, memory: Any, labels: dict[str, Any]) -> dict[str, Any]:
    if isinstance(memory, str) and memory.strip().isdigit():
        memory = int(memory)
    return {
        "kind": "ServerlessFunction",
        "metadata": {
            "name": name,
            "labels": {key: value for key, value in labels.items() if isinstance(value, str)},
        },
        "spec": {"memory": memory},
    }

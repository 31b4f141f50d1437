"""Serverless functions out of what declares them: Serverless Framework, SAM, Terraform.

Each becomes a resource of kind ServerlessFunction with `spec.memory` in MiB; nothing is judged.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from finops_dagster.policy.inputs import mapping

_FRAMEWORK_DEFAULT_MIB = 1024
"""https://www.serverless.com/framework/docs/providers/aws/guide/functions: memorySize."""
_LAMBDA_DEFAULT_MIB = 128
"""https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html."""
_SAM_TYPE = "AWS::Serverless::Function"
_LAMBDA_TYPE = "AWS::Lambda::Function"
_GOOGLE_DEFAULT_MIB = 256
"""https://cloud.google.com/functions/docs/configuring/memory."""
UNKNOWN = "(known after apply)"
"""Stands for a value that nobody knows before it is deployed, as Terraform prints it."""
_TERRAFORM = {
    "aws_lambda_function": (("memory_size",), _LAMBDA_DEFAULT_MIB),
    "google_cloudfunctions_function": (("available_memory_mb",), _GOOGLE_DEFAULT_MIB),
    "google_cloudfunctions2_function": (
        ("service_config", "available_memory"),
        _GOOGLE_DEFAULT_MIB,
    ),
}
"""Type -> where it says its memory, and what it has where it does not."""
_AMOUNT = re.compile(r"[0-9.]+ ?[A-Za-z]{0,3}\Z")
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


def function_form(resource: Mapping[str, Any]) -> dict[str, Any] | None:
    """The plain form of a function that another tool than Kubernetes declares; None of the rest.

    `resource` as in the input document: kind, name, labels, manifest. An expression of Terraform
    that nobody has worked out is no amount: nothing is said of the memory then.
    """
    kind, manifest = resource.get("kind"), mapping(resource.get("manifest"))
    labels, name = mapping(resource.get("labels")), str(resource.get("name") or "")
    if kind in _TERRAFORM:
        (*above, last), default = _TERRAFORM[kind]
        for step in above:
            block = manifest.get(step)
            manifest = mapping(block[0] if isinstance(block, list) and block else block)
        memory = manifest.get(last)
        memory = default if memory is None else memory
        if isinstance(memory, str) and memory != UNKNOWN and not _AMOUNT.match(memory):
            return _function(name, None, labels)
        return _function(name, memory, labels)
    if kind in {_SAM_TYPE, _LAMBDA_TYPE}:
        properties = mapping(manifest.get("Properties"))
        return _function(name, properties.get("MemorySize", _LAMBDA_DEFAULT_MIB), labels)
    if kind == "ServerlessFunction":
        return _function(name, manifest.get("memorySize", _FRAMEWORK_DEFAULT_MIB), labels)
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
        "spec": {} if memory is None else {"memory": memory},
    }

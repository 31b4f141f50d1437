"""Plans of Terraform and OpenTofu, as `terraform show -json` prints them, as subjects of policy.

https://developer.hashicorp.com/terraform/internals/json-format. What is created, updated or
replaced is judged as it would be afterwards; sensitive values are masked before anybody sees them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from finops_dagster.policy.documents import MAX_DEPTH, UnreadableError
from finops_dagster.policy.functions import UNKNOWN
from finops_dagster.policy.inputs import mapping
from finops_dagster.policy.subjects import PassedOver, Refused, Subject, declared_subject
from finops_dagster.policy.verdicts import clean

SENSITIVE = "(sensitive value)"
"""Stands for a value that Terraform marks as sensitive, as Terraform prints it."""
MAX_BYTES = 128 * 1024 * 1024
"""A plan of some ten thousand resources."""
_HEAD_BYTES = 4096
_MAJORS = ("0", "1")
"""Of format_version: 0 is that of Terraform before 1.1, with nothing else in it."""
_STEP = re.compile(r'module\.([\w-]+)(?:\[(?:"(?:\\.|[^"\\])*"|[0-9]+)\])?(?:\.|\Z)')
_BARE = re.compile(r"[A-Za-z0-9_$-]+\Z")
_TAGS = ("tags_all", "effective_labels", "tags", "labels", "user_labels")
"""Where providers tell tags; the first that are known count, with a provider's default tags."""
_COMPUTED_TAGS = frozenset({"tags_all", "effective_labels", "terraform_labels"})
_PLACES = ("region", "location", "zone", "availability_zone")
_STREAM = re.compile(rb'\s*\{[^\n]*"@level"')


def read_plan(file: Path, name: str) -> list[Subject | Refused | PassedOver] | None:
    """What a plan would do, resource by resource; None where `file` is no plan.

    Raises UnreadableError for what Terraform writes and is no plan to judge: saved plans, logs,
    states, plans that failed, and formats of a later kind.
    """
    text = _text(file)
    if text is None:
        return None
    try:
        plan = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"not JSON: {error}") from error
    if not isinstance(plan, dict) or not isinstance(plan.get("format_version"), str):
        return None
    if "resource_changes" not in plan and "planned_values" not in plan:
        if "values" in plan or "terraform_version" in plan:
            raise UnreadableError("a state, no plan: give what `terraform show -json PLAN` prints")
        return None
    if plan["format_version"].partition(".")[0] not in _MAJORS:
        raise UnreadableError(f"a plan of format {clean(plan['format_version'])}: 1.x is read")
    if plan.get("errored") is True:
        raise UnreadableError("the plan failed: what it would do is not all in it")
    return list(_Plan(plan, name).changes())


def _text(file: Path) -> str | None:
    """Text that may be a plan, in the encodings that shells write it in; else None."""
    try:
        with file.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
            if head.startswith(b"PK\x03\x04"):
                raise UnreadableError("a saved plan: give what `terraform show -json PLAN` prints")
            if _STREAM.match(head):
                raise UnreadableError(
                    "the log of a plan: give what `terraform show -json PLAN` prints"
                )
            wide = head[:2] in (b"\xff\xfe", b"\xfe\xff")
            encoding = "utf-16" if wide else "utf-8-sig"
            begin = head.decode(encoding, "replace").lstrip()
            if not begin.startswith("{") or '"format_version"' not in begin:
                return None
            rest = stream.read(MAX_BYTES)
            if stream.read(1):
                raise UnreadableError(f"larger than {MAX_BYTES // 1024**2} MiB")
        return (head + rest).decode(encoding)
    except UnicodeDecodeError as error:
        raise UnreadableError("not UTF-8 text") from error
    except OSError as error:
        raise UnreadableError(f"cannot be opened: {error.strerror}") from error


@dataclass(frozen=True)
class _Plan:
    plan: Mapping[str, Any]
    file: str
    blocks: dict[str, dict[tuple[Any, Any], dict[str, Any]]] = field(default_factory=dict)
    """Module address -> (type, name) -> block of the configuration, as they are asked for."""

    def changes(self) -> Iterator[Subject | Refused | PassedOver]:
        listed = self.plan.get("resource_changes")
        for part, change in enumerate(listed if isinstance(listed, list) else []):
            if isinstance(change, dict) and change.get("mode", "managed") == "managed":
                yield self._change(part, change)
        deferred = self.plan.get("deferred_changes")
        for one in deferred if isinstance(deferred, list) else []:
            resource = _resource(mapping(mapping(one).get("resource_change")))
            yield Refused(file=self.file, reason=f"{resource} is put off to a later plan")

    def _change(self, part: int, given: Mapping[str, Any]) -> Subject | Refused | PassedOver:
        change, name = mapping(given.get("change")), _resource(given)
        actions = change.get("actions")
        action = _action(actions)
        if not action:
            return Refused(file=self.file, reason=f"{name}: the action {clean(str(actions))}")
        if action in _LEFT:
            return PassedOver(file=self.file, resource=name, reason=_LEFT[action])
        if not isinstance(change.get("after"), dict):
            return Refused(file=self.file, reason=f"{name}: what it would be is not told")
        own = self._own(given)
        unknown: list[str] = []
        masked = _masked(change["after"], change.get("after_sensitive"))
        after = _with_unknown(
            masked, change.get("after_unknown"), own.get("expressions"), "", unknown
        )
        manifest = mapping(after)
        type_, place = str(given.get("type") or ""), _provider_region(self.plan, own)
        return declared_subject(
            {
                "kind": type_,
                "namespace": "",
                "name": _name(given),
                "api_version": "terraform",
                "labels": self._labels(given, manifest),
                "region": "" if any(manifest.get(one) for one in _PLACES) else place,
                "manifest": {
                    key: value for key, value in manifest.items() if key not in _COMPUTED_TAGS
                },
            },
            self.file,
            part=part,
            action=action,
            unknown=tuple(unknown),
        )

    def _labels(self, given: Mapping[str, Any], manifest: Mapping[str, Any]) -> dict[str, str]:
        """Tags with those that the provider adds to all it makes."""
        found = _default_tags(self.plan, self._own(given))
        for name in reversed(_TAGS):
            found |= _pairs(manifest.get(name))
        return found | _pairs(manifest.get("tag"))

    def _own(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """The resource block of a change in the plan's configuration; empty where it has none."""
        address = str(given.get("module_address") or "")
        if address not in self.blocks:
            configuration = mapping(self.plan.get("configuration"))
            module = mapping(configuration.get("root_module"))
            for name in _STEP.findall(address):
                called = mapping(mapping(module.get("module_calls")).get(name))
                module = mapping(called.get("module"))
            listed = module.get("resources")
            self.blocks[address] = {
                (str(one.get("type")), str(one.get("name"))): one
                for one in map(mapping, listed if isinstance(listed, list) else [])
            }
        return self.blocks[address].get((str(given.get("type")), str(given.get("name"))), {})


_LEFT = {
    "no-op": "the plan does not change it",
    "read": "it is only read",
    "delete": "the plan deletes it",
    "forget": "the plan forgets it",
}


def _action(actions: Any) -> str:
    """create, update, replace, delete, no-op, read or forget; empty for anything else."""
    if not isinstance(actions, list):
        return ""
    if sorted(map(str, actions)) == ["create", "delete"]:
        return "replace"
    if actions in (["create", "forget"], ["forget", "create"]):
        return "replace"
    known = {"create", "update", *_LEFT}
    return str(actions[0]) if len(actions) == 1 and actions[0] in known else ""


def _name(given: Mapping[str, Any]) -> str:
    """The address without the type, which is the kind: module.web[0].api[1]."""
    module, index = given.get("module_address"), given.get("index")
    name = f"{module}.{given.get('name')}" if module else str(given.get("name") or "")
    if index is not None:
        name += f"[{json.dumps(index, ensure_ascii=False)}]"
    return re.sub(r"[\x00-\x20\x7f/]", "_", name)


def _resource(given: Mapping[str, Any]) -> str:
    return clean(f"{given.get('type') or ''}//{_name(given)}")


def _masked(value: Any, sensitive: Any) -> Any:
    """`value` with what `sensitive`, of the same form, says true of masked."""
    if sensitive is True:
        return SENSITIVE
    if isinstance(value, dict) and isinstance(sensitive, dict):
        return {key: _masked(item, sensitive.get(key)) for key, item in value.items()}
    if isinstance(value, list) and isinstance(sensitive, list):
        marks = [*sensitive, *[None] * len(value)]
        return [_masked(item, mark) for item, mark in zip(value, marks, strict=False)]
    return value


def _with_unknown(
    value: Any,
    unknown: Any,
    written: Any,
    path: str,
    found: list[str],
    depth: int = 0,
) -> Any:
    """`value` without its nulls, which say that nothing is set, and with what is unknown marked.

    Attributes that the configuration does not set and the provider works out (an ARN, say) are
    left out, as the configuration leaves them out; `written` is what it has of them, as far as it
    is known. `found` is told the paths of the rest.
    """
    if depth > MAX_DEPTH:
        raise UnreadableError("nested too deeply")
    if unknown is True:
        found.append(path)
        return UNKNOWN
    if isinstance(value, list) or isinstance(unknown, list):
        items = value if isinstance(value, list) else []
        marks = unknown if isinstance(unknown, list) else []
        return [
            _with_unknown(
                items[at] if at < len(items) else None,
                marks[at] if at < len(marks) else None,
                written[at] if isinstance(written, list) and at < len(written) else None,
                f"{path}[{at}]",
                found,
                depth + 1,
            )
            for at in range(max(len(items), len(marks)))
        ]
    if isinstance(value, dict) or isinstance(unknown, dict):
        fields, unknowns = mapping(value), mapping(unknown)
        made = {}
        for key in {**fields, **unknowns}:
            worked_out = _is_block(written) and key not in written and key not in _TAGS
            if unknowns.get(key) is True and (worked_out or key in _COMPUTED_TAGS):
                continue
            inner = f"{path}{_key(key, path)}"
            told = written.get(key) if _is_block(written) else None
            item = _with_unknown(fields.get(key), unknowns.get(key), told, inner, found, depth + 1)
            if item is not None:
                made[key] = item
        return made if made or value is not None else None
    return value


def _is_block(written: Any) -> bool:
    """Whether it is a block of expressions, and no expression itself."""
    return isinstance(written, dict) and not {"references", "constant_value"} & written.keys()


def _key(key: str, path: str) -> str:
    if not _BARE.match(key):
        return f"[{json.dumps(key, ensure_ascii=False)}]"
    return f".{key}" if path else key


def _pairs(value: Any) -> dict[str, str]:
    """Tags as text: a mapping, or blocks of key and value."""
    if isinstance(value, list):
        blocks = [mapping(one) for one in value]
        value = {one["key"]: one.get("value") for one in blocks if isinstance(one.get("key"), str)}
    return {key: item for key, item in mapping(value).items() if isinstance(item, str)}


def _provider(plan: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Expressions of the provider that makes a resource, by its block in the configuration."""
    providers = mapping(mapping(plan.get("configuration")).get("provider_config"))
    key = str(own.get("provider_config_key") or "")
    config = providers.get(key) or providers.get(key.rpartition(":")[2])
    return mapping(mapping(config).get("expressions"))


def _provider_region(plan: Mapping[str, Any], own: Mapping[str, Any]) -> str:
    region = _constant(plan, _provider(plan, own).get("region"))
    return region if isinstance(region, str) else ""


def _default_tags(plan: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, str]:
    provider = _provider(plan, own)
    blocks = provider.get("default_tags")
    found = _pairs(_constant(plan, provider.get("default_labels")))
    for block in blocks if isinstance(blocks, list) else []:
        found |= _pairs(_constant(plan, mapping(block).get("tags")))
    return found


def _constant(plan: Mapping[str, Any], expression: Any) -> Any:
    """What an expression of the configuration comes to: a constant, or a variable's value."""
    expression = mapping(expression)
    if "constant_value" in expression:
        return expression["constant_value"]
    for reference in expression.get("references") or []:
        if isinstance(reference, str) and reference.startswith("var."):
            name = reference.removeprefix("var.")
            declared = mapping(mapping(plan.get("configuration")).get("root_module"))
            if mapping(mapping(declared.get("variables")).get(name)).get("sensitive") is True:
                return None
            return mapping(mapping(plan.get("variables")).get(name)).get("value")
    return None

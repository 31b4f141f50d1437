"""A bundle as Gatekeeper loads it: a template of each rule that judges manifests, its constraints.

https://open-policy-agent.github.io/gatekeeper/website/docs/constrainttemplates. Limits are
parameters of the constraints: changing one needs no Rego. Files are written in export.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import LiteralScalarString

from finops_dagster.domain.decisions import Abstained
from finops_dagster.policy.bundle import RegoBundle
from finops_dagster.policy.engine import Source
from finops_dagster.policy.inputs import SCHEMA, mapping
from finops_dagster.policy.metadata import package_of

_RULES = "finops.rules."
_REFERENCE = re.compile(r"(?<![\w/.])data\.(?!lib\b|inventory\b|ya?ml\b|json\b)")
_IDENTIFIER = re.compile(r"[A-Za-z_]\w*\Z")
_ENFORCED = {"deny": "deny", "needs_approval": "warn"}
"""What a rule says -> what Gatekeeper does about it."""
_ENTRY = """\
package {package}

import rego.v1

reviewed := input.review.object

metadata := mapping(object.get(reviewed, "metadata", {{}}))

mapping(value) := value if is_object(value) else := {{}}

text(value) := value if is_string(value) else := ""

document := {{
	"schema": "{schema}",
	"subject": "",
	"environment": "",
	"resource": {{
		"kind": text(object.get(reviewed, "kind", "")),
		"namespace": text(object.get(metadata, "namespace", "")),
		"name": text(object.get(metadata, "name", "")),
		"api_version": text(object.get(reviewed, "apiVersion", "")),
		"labels": mapping(object.get(metadata, "labels", {{}})),
		"annotations": mapping(object.get(metadata, "annotations", {{}})),
		"namespace_labels": namespace_labels,
		"manifest": reviewed,
		"changed": false,
	}},
	"context": {{}},
	"parameters": input.parameters,
}}

# Gatekeeper gives the namespace of what it reviews where it knows it.
default namespace_labels := {{}}

namespace_labels := labels if {{
	labels := input.review._unstable.namespace.metadata.labels
	is_object(labels)
}}

decision(record) := record.decision if record.decision in {{"allow", "needs_approval"}}

decision(record) := "deny" if not record.decision in {{"allow", "needs_approval"}}

# What a controller makes is judged by what its controller declares.
owned if {{
	some reference in metadata.ownerReferences
	reference.controller == true
}}

violation contains {{"msg": message, "details": record}} if {{
	not owned
	some record in data.lib.{rule}.results with input as document
	decision(record) == input.parameters.decision
	message := sprintf("%s: %s (limit: %s). %s", [
		titles[record.id].title, record.actual, record.limit,
		object.get(record, "fix", titles[record.id].fix),
	])
}}

violation contains {{"msg": message, "details": {{}}}} if {{
	not owned
	input.parameters.decision == "deny"
	not can_judge
	message := "{name} cannot be evaluated: every rule judges, with its limits of the right type"
}}

can_judge if data.lib.{rule}.evaluable with input as document

titles := {titles}
"""


def gatekeeper_files(bundle: RegoBundle) -> tuple[dict[str, bytes], list[Abstained]]:
    """A ConstraintTemplate and its Constraints for each rule that judges manifests."""
    files: dict[str, bytes] = {}
    left_out: list[Abstained] = []
    for source in bundle.policies:
        package = package_of(source.text)
        if not package.startswith(_RULES):
            continue
        rules = [rule for rule in bundle.rules.values() if rule.package == package]
        left_out += [
            Abstained(subject=rule.id, reason="it judges proposals, which no cluster admits")
            for rule in rules
            if "manifest" not in rule.judges
        ]
        judging = [rule for rule in rules if "manifest" in rule.judges]
        if not judging:
            continue
        titles = {rule.id: {"title": rule.title, "fix": rule.fix} for rule in judging}
        libs = _needed(source, bundle)
        kind = _kind(package)
        limits = _limits(bundle.data, [source, *libs])
        files[f"templates/{kind.lower()}.yaml"] = _yaml(
            _template(kind, package, titles, [source, *libs], bundle, judging[0].description)
        )
        for decision, action in _ENFORCED.items():
            name = f"{kind.lower()}-{action}"
            files[f"constraints/{name}.yaml"] = _yaml(
                {
                    "apiVersion": "constraints.gatekeeper.sh/v1beta1",
                    "kind": kind,
                    "metadata": {"name": name},
                    "spec": {
                        "enforcementAction": action,
                        "match": {"kinds": [{"apiGroups": ["*"], "kinds": ["*"]}]},
                        "parameters": {"decision": decision, **limits},
                    },
                }
            )
    return files, sorted(left_out, key=lambda one: one.subject)


def _template(
    kind: str,
    package: str,
    titles: Mapping[str, Any],
    sources: list[Source],
    bundle: RegoBundle,
    description: str,
) -> dict[str, Any]:
    entry = _ENTRY.format(
        package=kind.lower(),
        schema=SCHEMA,
        rule=package,
        name=package.removeprefix(_RULES),
        titles=json.dumps(titles, ensure_ascii=False, indent=1, sort_keys=True),
    )
    keys = sorted(bundle.data)
    libs = [_under_lib(source.text) for source in sources]
    libs += [_data_lib(key, bundle.data[key]) for key in keys]
    code = {
        "engine": "Rego",
        "source": {
            "version": "v1",
            "rego": LiteralScalarString(entry),
            "libs": [LiteralScalarString(text) for text in libs],
        },
    }
    # Limits are data of the Constraint, of any form: what is wrong with them the rule says itself.
    parameters = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {
        "apiVersion": "templates.gatekeeper.sh/v1",
        "kind": "ConstraintTemplate",
        "metadata": {
            "name": kind.lower(),
            "annotations": {"description": description, "finops/bundle": bundle.id},
        },
        "spec": {
            "crd": {
                "spec": {
                    "names": {"kind": kind},
                    "validation": {"openAPIV3Schema": parameters},
                }
            },
            "targets": [{"target": "admission.k8s.gatekeeper.sh", "code": [code]}],
        },
    }


def _needed(source: Source, bundle: RegoBundle) -> list[Source]:
    """Libraries that a rule uses, and those that they use."""
    by_package: dict[str, list[Source]] = {}
    for one in bundle.policies:
        by_package.setdefault(package_of(one.text), []).append(one)
    needed: dict[str, Source] = {}
    waiting = [source]
    while waiting:
        text = waiting.pop().text
        for package, sources in by_package.items():
            if re.search(rf"\bdata\.{re.escape(package)}\b", text):
                for one in sources:
                    if one.name not in needed and one.name != source.name:
                        needed[one.name] = one
                        waiting.append(one)
    return [needed[name] for name in sorted(needed)]


def _under_lib(text: str) -> str:
    """A source as a library of a template: those may be under data.lib only."""
    return re.sub(
        r"^package\s+", "package lib.", _REFERENCE.sub("data.lib.", text), count=1, flags=re.M
    )


def _data_lib(key: str, value: Any) -> str:
    """Data of the bundle as a library that reads the parameters of the Constraint."""
    names = [name for name in sorted(mapping(value)) if _IDENTIFIER.match(name)]
    rules = [f"{name} := input.parameters.{key}.{name}\n" for name in names]
    return "\n".join([f"package lib.{key}\n\nimport rego.v1\n", *rules])


def _limits(data: Mapping[str, Any], sources: list[Source]) -> dict[str, Any]:
    """The data that some sources read: topics whose names they hold."""
    words = set(re.findall(r"\w+", "\n".join(source.text for source in sources)))
    return {
        key: {topic: one for topic, one in mapping(value).items() if topic in words}
        for key, value in sorted(data.items())
    }


def _kind(package: str) -> str:
    parts = re.split(r"[._]", package.removeprefix(_RULES))
    return "Finops" + "".join(part.capitalize() for part in parts)


def _yaml(value: Mapping[str, Any]) -> bytes:
    yaml = YAML()
    yaml.width = 4096
    text = io.BytesIO()
    yaml.dump(dict(value), text)
    return text.getvalue()

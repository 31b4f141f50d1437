"""A CheckReport as SARIF 2.1.0, which code hosts show beside the lines of a pull request.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/. No judging, no files.
"""

from __future__ import annotations

import hashlib
import posixpath
import urllib.parse
from collections.abc import Mapping
from typing import Any

from finops_dagster.domain.decisions import Decision, RuleResult
from finops_dagster.policy.check import CheckItem, CheckReport
from finops_dagster.policy.metadata import RuleMetadata

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_LEVEL = {Decision.DENY: "error", Decision.NEEDS_APPROVAL: "warning", Decision.ALLOW: "note"}


def sarif(
    report: CheckReport, rules: Mapping[str, RuleMetadata], version: str, base: str = ""
) -> dict[str, Any]:
    """`report` as one SARIF run; `rules` describe the ids, `version` is this product's.

    `base` is the folder that the report's names start from, from the root of the repository: code
    hosts show results at their whole path. Rules that spoke in favour are no results. What was
    refused is a notification of the run.
    """
    spoken = [
        (item, rule)
        for item in report.items
        for rule in item.rules
        if rule.decision is not Decision.ALLOW
    ]
    titles = {rule.id: rule for _, rule in spoken}
    ids = sorted(titles)
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "finops policy check",
                        "version": version,
                        "rules": [_descriptor(titles[id_], rules.get(id_)) for id_ in ids],
                    }
                },
                "invocations": [
                    {
                        "executionSuccessful": True,
                        "toolExecutionNotifications": [
                            {
                                "level": "warning",
                                "message": {"text": refused.reason},
                                "locations": [_location(posixpath.join(base, refused.file))],
                            }
                            for refused in report.refused
                        ],
                    }
                ],
                "properties": {"bundle": report.bundle},
                "columnKind": "unicodeCodePoints",
                "results": [_result(item, rule, ids.index(rule.id), base) for item, rule in spoken],
            }
        ],
    }


def _descriptor(rule: RuleResult, described: RuleMetadata | None) -> dict[str, Any]:
    return {
        "id": rule.id,
        "shortDescription": {"text": described.title if described else rule.title},
        "fullDescription": {"text": described.description if described else rule.title},
        "help": {"text": described.fix if described else rule.fix},
    }


def _result(item: CheckItem, rule: RuleResult, index: int, base: str) -> dict[str, Any]:
    what = f"{rule.title}: {rule.actual}"
    text = f"{item.resource}: {what} (limit: {rule.limit}). {rule.fix}"
    key = f"{item.file}\n{item.document}\n{item.resource}\n{rule.id}\n{rule.actual}"
    return {
        "ruleId": rule.id,
        "ruleIndex": index,
        "level": _LEVEL[rule.decision],
        "message": {"text": text},
        "locations": [_location(posixpath.join(base, item.file), item.line)],
        "partialFingerprints": {"finops/v1": hashlib.sha256(key.encode()).hexdigest()},
    }


def _location(file: str, line: int | None = None) -> dict[str, Any]:
    uri = urllib.parse.quote(posixpath.normpath(file))
    place: dict[str, Any] = {"artifactLocation": {"uri": uri}}
    if line is not None:
        place["region"] = {"startLine": line}
    return {"physicalLocation": place}

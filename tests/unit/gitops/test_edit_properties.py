"""Over files as people write them: an edit changes one value and no other byte."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_dagster.desired_state import index_files
from finops_dagster.domain.decisions import Edit
from finops_dagster.domain.errors import Stopped
from finops_dagster.gitops.diffs import hunks, unified_diff
from finops_dagster.gitops.edits import apply_edits, plan_edit
from finops_dagster.gitops.verification import edit_value

FIELD = "spec.template.spec.containers[name=server].resources.requests.cpu"


@dataclass(frozen=True)
class Written:
    """A file in which one value is to be changed."""

    data: bytes
    resource: str
    field: str


def changed(written: Written, file: str, value: str) -> bytes:
    """The file after the edit, with all that can be said of bytes asserted."""
    index = index_files({file: written.data})
    location = index.locate(written.resource, written.field)
    assert location is not None, index.refused()
    assert location.editable, location.reason
    with pytest.raises(Stopped, match="already reads"):
        plan_edit(location, location.value, written.data)
    raw = written.data[location.start_byte : location.end_byte].decode()
    same = Edit(
        file=file, start_byte=location.start_byte, end_byte=location.end_byte,
        before=raw, after=raw,
    )  # fmt: skip
    assert apply_edits(written.data, (same,)) == written.data
    edit, before, after = edit_value(index, location, value)
    assert before == written.data
    tail = len(after) - len(edit.after.encode()) - edit.start_byte
    assert after[: edit.start_byte] == before[: edit.start_byte]
    assert after[len(after) - tail :] == before[edit.end_byte :]
    assert hunks(unified_diff(file, before, after)) == 1
    return after


_WORDS = st.characters(exclude_categories=["Cc", "Cs"], max_codepoint=0xFFFF)
_COMMENTS = st.sampled_from(["", " # why: not {{ this }}", "\t# a tab", "   #", " # 'q\" ünï"])
_QUANTITIES = st.sampled_from(["250m", "1", "2", "0.5", "1500m"])


@st.composite
def manifests(draw: st.DrawFn) -> tuple[Written, int]:
    """Several documents, one of them a Deployment, in any layout; and which one it is."""
    step = " " * draw(st.integers(1, 7))
    dash = draw(st.sampled_from(["", step]))
    quote = draw(st.sampled_from(["", "'", '"']))
    value = draw(_QUANTITIES)
    space = " " * draw(st.integers(1, 4))
    flow = draw(st.booleans())
    anchor = draw(st.sampled_from(["", "&app "]))
    note = draw(_COMMENTS)
    scalar = f"{quote}{value}{quote}"
    requests = (
        [f"requests: {{memory: 1Gi,{space}cpu: {scalar} }}{note}"]
        if flow
        else ["requests:", f"{step}cpu:{space}{scalar}{note}", f"{step}memory: 1Gi"]
    )
    item = ["name: server", "resources:", *(f"{step}{line}" for line in requests)]
    if draw(st.booleans()):
        item += ["command:", f"{step}- |", f"{step}  cpu: 9", "", f"{step}    # not a comment"]
    pad = "- " + " " * draw(st.integers(0, 3))
    containers = [f"{dash}{pad}{item[0]}", *(f"{dash}{' ' * len(pad)}{one}" for one in item[1:])]
    pod = ["containers:", *containers]
    lines = [
        "apiVersion: apps/v1", "kind: Deployment", "metadata:", f"{step}name: web",
        f"{step}labels: {anchor}{{app: web}}", "spec:", f"{step}selector:",
        f"{step * 2}matchLabels: {'*app' if anchor else '{app: web}'}", f"{step}template:",
        f"{step * 2}spec:", *(f"{step * 3}{line}" if line else "" for line in pod),
    ]  # fmt: skip
    other = ["apiVersion: v1", "kind: ConfigMap", "metadata: {name: c}", "data: {cpu: '250m'}"]
    documents = [other[:] for _ in range(draw(st.integers(0, 2)))]
    for number, one in enumerate(documents):
        one[2] = f"metadata: {{name: c{number}}}"
    place = draw(st.integers(0, len(documents)))
    documents.insert(place, lines)
    separator = draw(st.sampled_from(["---", "--- # next", "...\n---"]))
    text = f"\n{separator}\n".join("\n".join(one) for one in documents)
    text = draw(st.sampled_from(["", "# top\n", "---\n", "%YAML 1.1\n---\n"])) + text
    text += draw(st.sampled_from(["", "\n", "\n\n# end", "\n...\n"]))
    text = text.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))
    mark = draw(st.sampled_from(["", "\ufeff"])) if not text.startswith("%") else ""
    return Written((mark + text).encode(), "Deployment/default/web", FIELD), place


@settings(max_examples=250, deadline=None)
@given(manifests(), st.sampled_from(["100m", "3", "0.75"]))
def test_yaml_in_any_layout(drawn: tuple[Written, int], value: str) -> None:
    """Harm: somebody's comment, anchor, line ends or byte order mark is gone after a merge."""
    written, place = drawn
    after = changed(written, "apps/web.yaml", value)
    # PyYAML takes no tab before a comment, which YAML allows and Kubernetes reads.
    expected, found = (
        list(yaml.safe_load_all(data.replace(b"\t#", b" #"))) for data in (written.data, after)
    )
    container = expected[place]["spec"]["template"]["spec"]["containers"][0]
    got = found[place]["spec"]["template"]["spec"]["containers"][0]
    assert str(got["resources"]["requests"]["cpu"]) == value
    container["resources"]["requests"]["cpu"] = got["resources"]["requests"]["cpu"]
    assert found == expected


@st.composite
def json_templates(draw: st.DrawFn) -> tuple[Written, str]:
    """CloudFormation as JSON, however it is spaced; and what the file is called."""
    template: dict[str, Any] = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Resources": {
            "Orders": {
                "Type": "AWS::Lambda::Function",
                "Properties": {
                    "FunctionName": "orders", "MemorySize": 1024, "Timeout": 1024,
                    "Description": draw(st.text(_WORDS, max_size=20)),
                    "Environment": {"Variables": {"MemorySize": "1024", "Ü": "\u2028/"}},
                },
            },
        },
    }  # fmt: skip
    text = json.dumps(
        template, indent=draw(st.sampled_from([None, 1, 2, 4, "\t"])),
        ensure_ascii=draw(st.booleans()), separators=draw(st.sampled_from([None, (",", ":")])),
    )  # fmt: skip
    text = text.replace("\n", draw(st.sampled_from(["\n", "\r\n"])))
    text += draw(st.sampled_from(["", "\n"]))
    file = draw(st.sampled_from(["stack.json", "stack.template"]))
    return Written(text.encode(), "AWS::Lambda::Function/stack/Orders", "MemorySize"), file


@settings(max_examples=100, deadline=None)
@given(json_templates())
def test_json_templates_in_any_layout(drawn: tuple[Written, str]) -> None:
    """Harm: a JSON template is written anew, or a number in it becomes a bare word."""
    written, file = drawn
    name = next(iter(index_files({file: written.data}).resources()))
    after = changed(Written(written.data, name, "MemorySize"), file, "512")
    expected, found = json.loads(written.data), json.loads(after)
    expected["Resources"]["Orders"]["Properties"]["MemorySize"] = 512
    assert found == expected


@settings(max_examples=100, deadline=None)
@given(
    comment=st.sampled_from(["", " # big", " // big", " /* big */"]),
    space=st.integers(1, 5),
    heredoc=st.sampled_from(["<<EOT", "<<-EOT"]),
    ending=st.sampled_from(["\n", "\r\n"]),
    last=st.sampled_from(["", "\n"]),
)
def test_hcl_in_any_layout(comment: str, space: int, heredoc: str, ending: str, last: str) -> None:
    """Harm: a comment or a heredoc that looks like the value is what gets changed."""
    text = (
        f'# instance_type = "m5.large"\nresource "aws_instance" "web" {{\n'
        f'  ami           = "ami-1"\n  user_data = {heredoc}\ninstance_type = "m5.large"\n  EOT\n'
        if heredoc == "<<-EOT"
        else f'/* instance_type = "m5.large" */\nresource "aws_instance" "web" {{\n'
        f'  user_data = {heredoc}\ninstance_type = "m5.large"\nEOT\n'
    )
    text += (
        f'  instance_type{" " * space}= "m5.large"{comment}\n  tags = {{ Name = "web" }}\n}}{last}'
    )
    data = text.replace("\n", ending).encode()
    index = index_files({"infra/main.tf": data})
    (name,) = index.resources()
    after = changed(Written(data, name, "instance_type"), "infra/main.tf", "m5.xlarge")
    at = text.rindex(f"instance_type{' ' * space}= ")
    assert after.decode() == (text[:at] + text[at:].replace("m5.large", "m5.xlarge", 1)).replace(
        "\n", ending
    )


@settings(max_examples=60, deadline=None)
@given(indent=st.sampled_from([None, 2, 3]), value=st.sampled_from(["m5.xlarge", "${x}", 'a"b']))
def test_terraform_as_json(indent: int | None, value: str) -> None:
    """Harm: text becomes an expression, or the file is formatted by whoever edits it."""
    data = json.dumps(
        {"resource": {"aws_instance": {"web": {"ami": "m5.large", "instance_type": "m5.large"}}}},
        indent=indent,
    ).encode()
    (name,) = index_files({"infra/main.tf.json": data}).resources()
    after = changed(Written(data, name, "instance_type"), "infra/main.tf.json", value)
    found = json.loads(after)["resource"]["aws_instance"]["web"]
    assert found == {"ami": "m5.large", "instance_type": value.replace("${", "$${")}

"""Edits of Terraform and serverless files: one value, in its kind and style, never code."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_dagster.desired_state import RepositoryIndex, index_files
from finops_dagster.domain.decisions import ValueLocation
from finops_dagster.domain.errors import Stopped
from finops_dagster.gitops.verification import edit_value

CODE = """# kept by hand
resource "aws_instance" "web" {
  instance_type = "m5.large"   # "m5.large" once
  size          = 500
  share         = 0.5
  low           = -1
  on            = true
  tags = { team = "pay", n = "${var.n}" }
}
variable "n" {
  default = "x"
}
"""
JSON = """{"resource": {"aws_instance": {"web": {
  "instance_type": "m5.large", "size": 500, "share": 0.5, "low": -1, "on": true,
  "tags": {"team": "pay"}}}}}"""
SERVICE = "service: x\nprovider: {name: aws}\nfunctions:\n  a: {memorySize: 1024, role: admin}\n"
NAME = "aws_instance/infra/web"


def edited(file: str, text: str, resource: str, field: str, value: str) -> tuple[str, str]:
    """(the file afterwards, what the value reads then)."""
    index = index_files({file: text.encode()})
    location = located(index, resource, field)
    _, before, after = edit_value(index, location, value)
    assert before == text.encode()
    again = located(index_files({file: after}), resource, field)
    return after.decode(), again.value


def located(index: RepositoryIndex, resource: str, field: str) -> ValueLocation:
    location = index.locate(resource, field)
    assert location is not None
    return location


@pytest.mark.parametrize(
    ("field", "value", "old", "new"),
    [
        ("instance_type", "t3.small", '"m5.large"   #', '"t3.small"   #'),
        ("size", "100", "= 500", "= 100"),
        ("share", "0.25", "= 0.5", "= 0.25"),
        ("share", "1", "= 0.5", "= 1"),
        ("low", "-2", "= -1", "= -2"),
        ("on", "false", "= true", "= false"),
        ("tags.team", 'a "b" \\ c', '"pay"', r'"a \"b\" \\ c"'),
        ("tags.team", "${var.secret}", '"pay"', '"$${var.secret}"'),
        ("tags.team", "%{ if true }x", '"pay"', '"%%{ if true }x"'),
        ("tags.team", "true", '"pay"', '"true"'),
        ("tags.n", "y", '"x"', '"y"'),
    ],
)
def test_only_the_value_changes(field: str, value: str, old: str, new: str) -> None:
    """Harm: code is laid out anew, and reviewers cannot see the change; text becomes code."""
    after, now = edited("infra/main.tf", CODE, NAME, field, value)
    assert after == CODE.replace(old, new, 1)
    assert now == value


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("size", "ten", "500 is a whole number"),
        ("size", "1.5", "500 is a whole number"),
        ("size", "1 + 1", "500 is a whole number"),
        ("size", "var.x", "500 is a whole number"),
        ("size", "010", "500 is a whole number"),
        ("share", "1e9", "0.5 is a number"),
        ("on", "yes", "true is a boolean"),
        ("instance_type", "m5.large", "already reads"),
        ("tags.team", "a\nb", "control characters"),
        ("tags.team", "$${x}", "escapes"),
        ("tags.team", "x" * 5000, "longer than"),
    ],
)
@pytest.mark.parametrize(("file", "text"), [("infra/main.tf", CODE), ("infra/main.tf.json", JSON)])
def test_what_would_change_its_kind_is_refused(
    file: str, text: str, field: str, value: str, reason: str
) -> None:
    """Harm: a number becomes a text or an expression."""
    with pytest.raises(Stopped, match=reason):
        edited(file, text, NAME, field, value)


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=30)
HOSTILE = st.text("${}%\"\\'#a.", min_size=1, max_size=12)


@settings(max_examples=120, deadline=None)
@given(value=TEXT | HOSTILE, json=st.booleans())
def test_any_text_comes_back_as_it_was_given(value: str, json: bool) -> None:
    """Harm: some text ends a string, or is read as an expression by Terraform."""
    file, text = ("infra/main.tf.json", JSON) if json else ("infra/main.tf", CODE)
    try:
        after, now = edited(file, text, NAME, "tags.team", value)
    except Stopped:
        # {{ in JSON may be some other tool's template, so the index would not edit it again.
        refusable = "$${" in value or "%%{" in value or (json and "{{" in value)
        assert refusable or value == "pay" or not value.isprintable()
        return
    assert now == value
    assert len(after.splitlines()) == len(text.splitlines())


@pytest.mark.parametrize("value", ["${env:SECRET}", "${self:custom.x}", "a{{b}}"])
def test_text_never_becomes_a_variable_of_a_service(value: str) -> None:
    """Harm: a secret is written into a tag by whoever may propose a value."""
    with pytest.raises(Stopped, match="would not be read as it is written"):
        edited("fn/serverless.yml", SERVICE, "ServerlessFunction/fn/a", "role", value)


def test_memory_of_a_function_is_set() -> None:
    """Harm: a serverless function's memory cannot be lowered by a pull request."""
    after, now = edited(
        "fn/serverless.yml", SERVICE, "ServerlessFunction/fn/a", "memorySize", "256"
    )
    assert (after, now) == (SERVICE.replace("1024", "256"), "256")


def test_a_value_shared_by_way_of_a_template_is_refused() -> None:
    """Harm: a variable is changed for a tag, and a bucket gets another name."""
    more = CODE + 'resource "aws_s3_bucket" "b" {\n  bucket = "x-${var.n}"\n}\n'
    with pytest.raises(Stopped, match="shared by aws_instance/infra/web and aws_s3_bucket"):
        edited("infra/main.tf", more, NAME, "tags.n", "y")

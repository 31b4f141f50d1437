"""Edits keep every byte but the value's, keep its style, and never change its kind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_dagster.desired_state import RepositoryIndex, index_files, open_directory
from finops_dagster.domain.decisions import Edit
from finops_dagster.domain.errors import Stopped
from finops_dagster.gitops.edits import apply_edits
from finops_dagster.gitops.verification import edit_value, verify

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"

HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, namespace: n}\n"


def one(text: str, file: str = "c.yaml") -> RepositoryIndex:
    return index_files({file: text.encode()})


def edited(index: RepositoryIndex, field: str, value: str, resource: str = "ConfigMap/c") -> bytes:
    location = index.locate(resource, field)
    assert location is not None
    return edit_value(index, location, value)[2]


@pytest.mark.parametrize(
    ("before", "value", "after"),
    [
        ("limits: {cpu: 200m} # c", "150m", "limits: {cpu: 150m} # c"),
        ("limits:\n  cpu: 200m   # c", "1", 'limits:\n  cpu: "1"   # c'),
        ("limits:\n  cpu: 2", "500m", "limits:\n  cpu: 500m"),
        ("limits: {cpu: 2}", "500m", 'limits: {cpu: "500m"}'),
        ("limits:\n  cpu: 2", "1", "limits:\n  cpu: 1"),
        ("limits:\n  cpu: 2", "0.5", "limits:\n  cpu: 0.5"),
        ("limits:\n  cpu: '2'", "1", "limits:\n  cpu: '1'"),
        ('limits:\n  cpu: "2"', "1500m", 'limits:\n  cpu: "1500m"'),
        ("limits:\r\n  cpu: 2\r\n", "1", "limits:\r\n  cpu: 1\r\n"),
        ('limits:\n  "cpu" : 2', "500m", 'limits:\n  "cpu" : 500m'),
    ],
)
def test_quantities_keep_their_style(before: str, value: str, after: str) -> None:
    """Harm: a diff that changes quotes and kinds beside the value."""
    assert edited(one(HEAD + before), "limits.cpu", value) == (HEAD + after).encode()


@pytest.mark.parametrize(
    ("written", "value", "expected"),
    [
        ("hello", "bye now", "bye now"),
        ("hello", "true", '"true"'),
        ("hello", "1e3", '"1e3"'),
        ("hello", "0o14", '"0o14"'),
        ("hello", "12:30:00", '"12:30:00"'),
        ("hello", "2026-01-01", '"2026-01-01"'),
        ("hello", "null", '"null"'),
        ("hello", "no", '"no"'),
        ("hello", "a: b", '"a: b"'),
        ("hello", "a #b", '"a #b"'),
        ("hello", "- a", '"- a"'),
        ("hello", "--flag=1", "--flag=1"),
        ("hello", "---", '"---"'),
        ("hello", "{x}", '"{x}"'),
        ("hello", "*x", '"*x"'),
        ("hello", 'say "x" \\ y', '"say \\"x\\" \\\\ y"'),
        ("hello", "grün", '"grün"'),
        ("hello", "", '""'),
        ("'it'", "it's", "'it''s'"),
        ("true", "false", "false"),
        ("7", "8", "8"),
        ("0.5", "2", "2"),
        ("|-\n    one\n    two", "three\nfour", "|-\n    three\n    four"),
        ("|\n      one", "three\n", "|\n      three"),
    ],
)
def test_values_keep_their_kind(written: str, value: str, expected: str) -> None:
    """Harm: a string becomes a number, a boolean or a comment for the reader that applies it."""
    index = one(f"{HEAD}data:\n  before: x # y\n  a: {written}\nz: 1\n")
    after = edited(index, "data.a", value)
    assert after == f"{HEAD}data:\n  before: x # y\n  a: {expected}\nz: 1\n".encode()


@pytest.mark.parametrize(
    ("written", "value", "code"),
    [
        ("7", "7", "unchanged"),
        ("7", "seven", "kind"),
        ("7", "7.5", "kind"),
        ("true", "maybe", "kind"),
        ("on", "off", "kind"),
        ("017", "018", "kind"),
        ("~", "x", "kind"),
        ("", "x", "not_editable"),
        ("a", "b\nc", "bad_value"),
        ("a", "b\x07", "bad_value"),
        ("a", "b\u202e", "bad_value"),
        ("a", "b" * 5000, "bad_value"),
        (">-\n    a\n    b", "c", "kind"),
        ("|+\n    a\n", "c\n", "kind"),
        ("|\n    a\n", "c", "kind"),
    ],
)
def test_what_cannot_be_written_safely_is_refused(written: str, value: str, code: str) -> None:
    """Harm: an edit that guesses, or that smuggles in lines."""
    index = one(f"{HEAD}data:\n  a: {written}\n")
    with pytest.raises(Stopped) as raised:
        edited(index, "data.a", value)
    assert raised.value.faults[0].code == code
    assert raised.value.faults[0].file == "c.yaml"


def test_a_quantity_stays_one() -> None:
    """Harm: `cpu: lots` is merged and the deployment breaks."""
    index = one(HEAD + "limits: {cpu: 200m, memory: 1Gi}\n")
    for value in ("lots", "1 Gi", "-", "1GiB"):
        with pytest.raises(Stopped):
            edited(index, "limits.memory", value)


def test_json_stays_json() -> None:
    """Harm: a bare string makes a JSON manifest unreadable."""
    text = json.dumps(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"},
         "limits": {"cpu": 2, "x": "a"}}, indent=2,
    )  # fmt: skip
    after = edited(one(text, "c.json"), "limits.cpu", "500m")
    assert json.loads(after)["limits"] == {"cpu": "500m", "x": "a"}


@pytest.mark.parametrize(
    "patch",
    [
        "|-\n    - op: replace\n      path: /data/a\n      value: 3\n",
        '\'[{"op": "replace", "path": "/data/a", "value": 3}]\'\n',
    ],
)
def test_values_inside_inline_patches(patch: str) -> None:
    """Harm: the block of text around the value is rewritten."""
    head = "kind: Kustomization\nresources: [c.yaml]\npatches:\n- target: {name: c}\n  patch: "
    text = head + patch
    files = {"k/kustomization.yaml": text.encode(), "k/c.yaml": (HEAD + "data: {a: 1}\n").encode()}
    after = edited(index_files(files), "data.a", "14")
    assert after == text.replace("3", "14").encode()


def test_text_that_would_end_its_container_is_refused() -> None:
    """Harm: a value breaks out of the patch it sits in and changes what follows."""
    text = (
        "kind: Kustomization\nresources: [c.yaml]\npatches:\n- target: {name: c}\n"
        '  patch: \'[{"op": "replace", "path": "/data/a", "value": "x"}]\'\n'
    )
    files = {"k/kustomization.yaml": text.encode(), "k/c.yaml": (HEAD + "data: {a: y}\n").encode()}
    with pytest.raises(Stopped):
        edited(index_files(files), "data.a", "it's")


def test_other_bytes_are_not_overwritten() -> None:
    """Harm: an edit planned yesterday lands in the middle of today's file."""
    edit = Edit(file="f", start_byte=3, end_byte=4, before="1", after="22")
    assert apply_edits(b"a: 1\n", [edit]) == b"a: 22\n"
    with pytest.raises(Stopped):
        apply_edits(b"a:  1\n", [edit])
    with pytest.raises(Stopped):
        apply_edits(b"a: 1\n", [edit, edit])


def test_edits_of_one_file_do_not_shift_each_other() -> None:
    """Harm: the second edit of a file is off by the length of the first."""
    first = Edit(file="f", start_byte=3, end_byte=4, before="1", after="1000")
    second = Edit(file="f", start_byte=8, end_byte=9, before="2", after="3")
    assert apply_edits(b"a: 1\nb: 2\n", [first, second]) == b"a: 1000\nb: 3\n"


def test_the_proof_refuses_a_change_of_anything_else() -> None:
    """Harm: the check after an edit passes whatever was done."""
    before = one(HEAD + "data: {a: '1', b: '2'}\n")
    location = before.locate("ConfigMap/c", "data.a")
    assert location is not None
    for text in (
        HEAD + "data: {a: '9', b: '9'}\n",
        HEAD + "data: {a: '1', b: '2'}\n",
        HEAD + "data: {a: 9, b: '2'}\n",
        HEAD + "data: {b: '2', a: '8'}\n",
        HEAD.replace("name: c", "name: d") + "data: {a: '9', b: '2'}\n",
        HEAD + "data: {a: '9', b: '2'}\n---\n" + HEAD.replace("name: c", "name: d"),
        "broken: [",
    ):
        with pytest.raises(Stopped):
            verify(before, one(text), location, "9")
    verify(before, one(HEAD + "data: {a: '9', b: '2'} # moved\n"), location, "9")


_SAFE = st.characters(exclude_categories=["Cs", "Cc", "Cf", "Co", "Cn", "Zl", "Zp"])
_VALUES = st.one_of(
    st.text(_SAFE, min_size=1, max_size=10), st.integers(-99, 99), st.booleans(),
    st.sampled_from(["500m", "1Gi", "yes", "0x1f", "a: b", "# x", "'", '"', "{{x}}", "1e5"]),
)  # fmt: skip
_CONTENT = st.dictionaries(
    st.text(_SAFE, min_size=1, max_size=6).filter(lambda key: key not in ("<<", "items")),
    st.recursive(_VALUES, lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3),
        st.dictionaries(st.text(_SAFE, min_size=1, max_size=5).filter(lambda key: key != "<<"),
                        inner, min_size=1, max_size=3),
    ), max_leaves=6),
    min_size=1, max_size=3,
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(
    _CONTENT,
    st.text(_SAFE, max_size=12),
    st.sampled_from([None, "'", '"']),
    st.sampled_from([True, False, None]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_any_edit_changes_one_value_or_is_refused(
    content: dict[str, object],
    value: str,
    style: str | None,
    flow: bool | None,
    line_end: str,
) -> None:
    """Harm: for some text, somewhere, an edit changes more than it says."""
    manifest = {**yaml.safe_load(HEAD), "data": content}
    body = yaml.safe_dump(
        manifest, default_style=style, default_flow_style=flow, allow_unicode=True
    )
    data = f"# top\n{body}# end\n".replace("\n", line_end).encode()
    index = index_files({"c.yaml": data})
    assert list(index.resources()) == ["ConfigMap/n/c"], index.refused()
    before = json.loads(index.resources()["ConfigMap/n/c"].manifest)
    for location in list(index.locations()):
        try:
            edit, _, after = edit_value(index, location, value)
        except Stopped:
            continue
        assert after[: edit.start_byte] == data[: edit.start_byte]
        assert after[edit.start_byte + len(edit.after.encode()) :] == data[edit.end_byte :]
        again = index_files({"c.yaml": after})
        back = again.locate("ConfigMap/n/c", location.field)
        assert back is not None
        assert back.value == value
        now = json.loads(again.resources()["ConfigMap/n/c"].manifest)
        assert now != before
        # Set back, and all is as it was: nothing but the value moved.
        assert back.editable
        if location.value:
            try:
                _, _, restored = edit_value(again, back, location.value)
            except Stopped:
                continue
            assert (
                json.loads(index_files({"c.yaml": restored}).resources()["ConfigMap/n/c"].manifest)
                == before
            )


@pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is not on this machine")
@pytest.mark.parametrize(
    "name",
    ["gitops/microservices_demo", "gitops/flux2_kustomize_helm_example", "field_samples"],
)
def test_every_editable_value_of_real_repositories(name: str) -> None:
    """Harm: a value is said to be editable, and the edit then fails or spills."""
    index = open_directory(SHARED / name)
    done = 0
    editable = [one for one in index.locations() if one.editable and len(one.value) <= 200]
    for location in editable[:: max(1, len(editable) // 60)]:
        value = {"true": "false", "false": "true"}.get(location.value)
        if value is None:
            value = f"7{location.value}" if location.value[0].isdigit() else f"{location.value}x"
        _, before, after = edit_value(index, location, value)
        old, new = before.split(b"\n"), after.split(b"\n")
        assert len(old) == len(new)
        assert sum(a != b for a, b in zip(old, new, strict=True)) == 1
        done += 1
    assert done > 10


def test_what_may_not_be_edited_is_refused_before_its_file_is_read() -> None:
    """Harm: a generator names a file that is not there, and the command ends in a stack trace."""
    kustomization = "resources: []\nconfigMapGenerator:\n- {name: c, files: [gone.yaml]}\n"
    index = index_files({"kustomization.yaml": f"kind: Kustomization\n{kustomization}".encode()})
    location = index.locate("ConfigMap/default/c", 'data["gone.yaml"]')
    assert location is not None
    with pytest.raises(Stopped, match="configMapGenerator reads it from gone"):
        edit_value(index, location, "x")

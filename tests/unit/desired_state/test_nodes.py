"""Byte positions of scalars, and what must not be edited."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from finops_dagster.desired_state.nodes import (
    MAX_DEPTH,
    parse_embedded,
    parse_file,
    plain,
    plain_kind,
    scalars,
)


def positions(data: bytes) -> list[tuple[str, str, bytes, str]]:
    parsed = parse_file(data, "f.yaml")
    assert not parsed.error, parsed.error
    return [
        (one.text, one.kind, data[one.start : one.end], one.reason)
        for document in parsed.documents
        for one in scalars(document)
    ]


@pytest.mark.parametrize(
    ("data", "raw"),
    [
        (b"a: 1 # c\n", [b"1"]),
        (b"a: 'x'   \n", [b"'x'"]),
        ('\ufeffa: é # ü\nb: "😀"\nc: z\n'.encode(), ["é".encode(), '"😀"'.encode(), b"z"]),
        (b"a: x\r\nb: [1, 'two', {c: \"three\"}]\r\n", [b"x", b"1", b"'two'", b'"three"']),
        (b"a: |-\n  x\n  y\n\n# c\nb: 2\n", [b"|-\n  x\n  y", b"2"]),
        (b"a: &anchor 5\n", [b"5"]),
        (b'{"a": {"b": "c", "d": 1.5}}', [b'"c"', b"1.5"]),
        (b"a: one\n  two\n", [b"one\n  two"]),
        (b"---\na: 1\n---\n# nothing\n---\nb: 2\n", [b"1", b"", b"2"]),
    ],
)
def test_bytes_of_a_scalar_are_exact(data: bytes, raw: list[bytes]) -> None:
    """Harm: an edit cuts into a comment, a quote or a neighbour, or counts characters as bytes."""
    assert [one[2] for one in positions(data)] == raw


@given(
    st.dictionaries(
        st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8),
        st.one_of(st.text(max_size=12), st.integers(), st.booleans(), st.floats(allow_nan=False)),
        max_size=6,
    ),
    st.sampled_from(["'", '"', None]),
    st.booleans(),
)
def test_positions_hold_for_any_yaml(
    content: dict[str, object], style: str | None, unicode: bool
) -> None:
    """Harm: some text nobody thought of shifts every edit after it."""
    text = yaml.safe_dump(content, default_style=style, allow_unicode=unicode, sort_keys=False)
    data = text.encode()
    parsed = parse_file(data, "f.yaml")
    assert not parsed.error
    for document in parsed.documents:
        for one in scalars(document):
            raw = data[one.start : one.end].decode()
            again = parse_file(raw.encode(), "g.yaml").documents
            assert [s.text for s in scalars(again[0])] == [one.text]


def test_values_used_through_aliases_are_not_edited() -> None:
    """Harm: one edit changes a value in three places."""
    found = positions(b"base: &b {cpu: 1}\nx: *b\ny:\n  <<: *b\n  mem: 2\n")
    assert [(text, bool(reason)) for text, _, _, reason in found] == [
        ("1", True),
        ("1", True),
        ("2", False),
        ("1", True),
    ]


def test_only_a_bare_merge_key_merges() -> None:
    """Harm: a file with `<<` as text, in quotes, is refused as broken."""
    (document,) = parse_file(b"'<<': x\nb: 1\n", "f.yaml").documents
    assert plain(document) == {"<<": "x", "b": 1}


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"a: 1\na: 2\n", "written twice"),
        (b"a: '{{ .Values.cpu }}'\n", "templated"),
        (b"a: !!str 5\n", "tag"),
        (b"a:\n", "nothing is written"),
    ],
)
def test_ambiguous_values_say_why(data: bytes, reason: str) -> None:
    """Harm: an edit of a value whose meaning is not known."""
    assert reason in positions(data)[-1][3]


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"\xff\xfe", "not UTF-8"),
        (b"a: {{ .Values.x }}\n", "template"),
        (b"a: [1\n", "not valid YAML"),
        (b"[" * 100_000, f"deeper than {MAX_DEPTH}"),
        (b"a: *nowhere\n", "no anchor"),
        (b"? [a]\n: 1\n", "key is not a scalar"),
        (
            b"a: &a [" + b"1," * 50 + b"]\n"
            + b"".join(b"%c: &%c [" % (c, c) + b"*%c," % (c - 1) * 50 + b"]\n"
                       for c in range(ord("b"), ord("f"))),
            "values in one document",
        ),
    ],
)  # fmt: skip
def test_unreadable_files_say_why(data: bytes, error: str) -> None:
    """Harm: one broken or hostile file ends the index of the whole repository."""
    assert error in parse_file(data, "f.yaml").error


@pytest.mark.parametrize(
    "outer",
    [
        b"patch: |-\n  - op: replace\n    path: /spec/replicas\n    value: 3 # \xc3\xa9\n",
        b"\xef\xbb\xbfpatch: |\r\n    - op: replace\r\n      path: /a\r\n      value: 3\r\n",
        b"patch: |2\n    - {op: add, value: 3}\n",
        b'patch: \'[{"op": "add", "value": 3}]\'\n',
    ],
)
def test_values_inside_an_inline_patch_have_bytes_of_the_file(outer: bytes) -> None:
    """Harm: the value inside a block of text is not found, or the block is rewritten."""
    (patch,) = scalars(parse_file(outer, "k.yaml").documents[0])
    (inner,) = parse_embedded(patch, outer)
    value = next(one for one in scalars(inner) if one.text == "3")
    assert outer[value.start : value.end] == b"3"
    assert value.reason == ""


def test_folded_patches_are_read_but_not_edited() -> None:
    """Harm: positions in folded text point at the wrong bytes."""
    outer = b"patch: >-\n  - {op: add,\n  value: 3}\n"
    (patch,) = scalars(parse_file(outer, "k.yaml").documents[0])
    (inner,) = parse_embedded(patch, outer)
    assert {one.reason for one in scalars(inner)} == {"the patch is folded or escaped text"}


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("0o17", "int", 15), ("017", "int", 15), ("0x1F", "int", 31), ("1_000", "int", 1000),
        ("-3", "int", -3), ("1e3", "float", 1000.0), (".5", "float", 0.5), ("yes", "bool", True),
        ("Off", "bool", False), ("~", "null", None), ("500m", "str", "500m"),
        ("1.2.3", "str", "1.2.3"), (".inf", "float", ".inf"), ("0b2", "str", "0b2"),
        ("089", "int", 89),
    ],
)  # fmt: skip
def test_plain_scalars_mean_what_kubernetes_reads(text: str, kind: str, value: object) -> None:
    """Harm: policy judges another value than the cluster gets."""
    assert plain_kind(text) == kind
    (document,) = parse_file(f"a: {text}\n".encode(), "f.yaml").documents
    assert plain(document) == {"a": value}

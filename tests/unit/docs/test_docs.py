"""Docs are held to the code: commands parse, figures were measured, links lead somewhere."""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import runpy
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from finops_dagster.domain.decisions import FindingKind

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]

_FENCE = re.compile(r"^```(?:sh|bash|console)?\n(.*?)^```", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(
    r"`((?:finops \w|make \w|python -m finops_dagster[\w.]*|python benchmarks/)[^`\n]*)`"
)
_FIGURE = re.compile(r"(-?[\d,]*\.?\d+)[^\n]{0,40}?<!-- figure:(\w+)(?: x(\S+))? -->")


def commands() -> Iterator[tuple[str, str]]:
    """(page, command) of every command quoted in the docs."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        quoted = [line for block in _FENCE.findall(text) for line in block.splitlines()]
        for line in [*quoted, *_INLINE.findall(text)]:
            command = line.strip().removeprefix("$ ").split("  #")[0].strip()
            command = command.removeprefix(".venv/bin/")
            if command.split(" ")[0] in {"finops", "make", "python"}:
                yield page.name, command


QUOTED = sorted({(page, command) for page, command in commands()})


def parse_finops(words: list[str]) -> None:
    """Let the command line parse `words` without running anything; raises what it raises."""
    import typer

    from finops_dagster.cli import app

    command: Any = typer.main.get_command(app)
    context = command.make_context("finops", list(words), resilient_parsing=False)
    while True:
        rest = [*getattr(context, "_protected_args", []), *context.args]
        if not rest or not hasattr(command, "resolve_command"):
            return
        _, command, rest = command.resolve_command(context, rest)
        context = command.make_context(command.name, rest, parent=context)


@pytest.mark.parametrize(("page", "command"), QUOTED)
def test_quoted_commands_parse(page: str, command: str) -> None:
    """A command that no longer exists is the first thing a reader tries."""
    words = shlex.split(command, comments=True)
    if words[0] == "finops":
        parse_finops(words[1:])
    elif words[0] == "make":
        targets = [word for word in words[1:] if "=" not in word]
        subprocess.run(["make", "-n", *targets], cwd=ROOT, check=True, capture_output=True)
    elif words[1] == "-m":
        assert importlib.util.find_spec(words[2]) is not None
    else:
        assert_script_takes(ROOT / words[1], words[2:])


class _ParsedError(Exception):
    """Raised in place of running a script, once its arguments are parsed."""


def assert_script_takes(script: Path, words: list[str]) -> None:
    real = argparse.ArgumentParser.parse_args

    def stop(self: argparse.ArgumentParser, *args: Any, **kwargs: Any) -> None:
        real(self, *args, **kwargs)
        raise _ParsedError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", [str(script), *words])
        patch.setattr(argparse.ArgumentParser, "parse_args", stop)
        with pytest.raises(_ParsedError):
            runpy.run_path(str(script), run_name="__main__")


def test_some_commands_are_quoted() -> None:
    """A change of the pages' style would make the test above hold nothing."""
    quoted = {command for _, command in QUOTED}
    assert {"make run", "make ui"} <= quoted
    assert any(command.startswith("finops run") for command in quoted)


def test_a_wrong_command_is_refused() -> None:
    """The parser of this test must not accept everything."""
    with pytest.raises(Exception, match=r"(?i)no such|missing|unexpected"):
        parse_finops(["run", "--no-such-option"])
    with pytest.raises(Exception, match=r"(?i)no such"):
        parse_finops(["runn"])


@pytest.fixture(scope="module")
def conformance() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "benchmarks_conformance", ROOT / "benchmarks" / "conformance.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def measured() -> dict[str, dict[str, Any]]:
    path = ROOT / "docs" / "conformance.json"
    if not path.exists():
        return {}
    return {row["name"]: row for row in json.loads(path.read_text(encoding="utf-8"))}


def test_quoted_figures_were_measured() -> None:
    """`12 s <!-- figure:name -->`, or `1.4 GiB <!-- figure:name x9.3e-10 -->` in another unit."""
    figures = measured()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        found = _FIGURE.findall(text)
        assert len(found) == text.count("<!-- figure:"), f"{page.name}: a figure without a number"
        for number, name, factor in found:
            assert name in figures, f"{page.name} quotes {name}, which was not measured"
            value = figures[name]["value"]
            assert value is not None, name
            digits = len(number.partition(".")[2])
            shown = float(number.replace(",", ""))
            assert round(value * float(factor or 1), digits) == pytest.approx(shown), name


def test_measured_figures_have_all_their_fields(conformance: ModuleType) -> None:
    """A figure without its command and commit cannot be measured again."""
    listed = {figure.name: figure for figure in conformance.figures()}
    for name, row in measured().items():
        assert {"name", "command", "commit", "date", "goal", "value"} <= set(row)
        assert row["command"] == listed[name].command, name
        assert row["goal"] == listed[name].goal, name


def test_commands_of_figures_parse(conformance: ModuleType) -> None:
    """A figure whose command is gone is a memory, not a measurement."""
    for command in sorted({figure.command for figure in conformance.figures()}):
        words = shlex.split(command)
        if words[0] == "finops":
            parse_finops(words[1:])
        else:
            assert words[0] == "python"
            assert_script_takes(ROOT / words[1], words[2:])


def test_conformance_measures_what_is_listed(conformance: ModuleType, tmp_path: Path) -> None:
    """A goal missed must be written down and end with exit 1, not be dropped."""
    script = tmp_path / "answer.py"
    script.write_text('print(\'{"ours": {"a": 3, "b": 0.5}}\')')
    command = f"python {script}"
    wanted = [
        conformance.Figure("a", command, "ours.a", "<= 3"),
        conformance.Figure("b", command, "ours.b", "> 0.5"),
        conformance.Figure("c", f"python {tmp_path / 'none.py'}", "ours.c", "> 0"),
    ]
    rows = conformance.measure(wanted)
    assert [(row["value"], row["met"]) for row in rows] == [
        (3.0, True),
        (0.5, False),
        (None, False),
    ]
    out = tmp_path / "conformance.json"
    conformance.write(rows, out, wanted)
    conformance.write(conformance.measure(wanted[:1]), out, wanted)
    assert [row["name"] for row in json.loads(out.read_text())] == ["a", "b", "c"]


def test_links_between_pages_lead_somewhere() -> None:
    """A dead link ends the reading."""
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name} -> {target}"


def test_every_dependency_is_decided() -> None:
    """A dependency without a reason and a licence in docs/decisions.md nobody can weigh."""
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    text = (ROOT / "docs" / "decisions.md").read_text(encoding="utf-8")
    for line in wanted:
        match = re.match(r"[A-Za-z0-9._-]+", line)
        assert match is not None
        assert f"`{match.group()}`" in text, match.group()


def test_the_pages_make_a_site(tmp_path: Path) -> None:
    """A page that is in no list, or a heading that a link misses, is found by nobody."""
    sphinx = Path(sys.executable).with_name("sphinx-build")
    done = subprocess.run(
        [sphinx, "-q", "-W", "--keep-going", ROOT / "docs", tmp_path],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "metrics.html").exists()


@pytest.mark.parametrize("kind", list(FindingKind))
def test_each_kind_of_finding_has_its_page(kind: FindingKind) -> None:
    """A recommendation that nobody can look up is one that nobody follows."""
    pages = (ROOT / "docs" / "recommendations").glob("*.md")
    headings = [
        line
        for page in pages
        for line in page.read_text(encoding="utf-8").splitlines()
        if line.startswith("#")
    ]
    assert sum(f"`{kind.value}`" in line for line in headings) == 1

"""A conformance report as one static page: what fails first, by column; everything escaped.

Words and layout only; verdicts are made in `judging`.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import groupby

from finops_dagster.quality.conformance.verdicts import Report, Verdict
from finops_dagster.quality.page import STYLE, filled

_PAGE = (
    """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>FOCUS conformance of {{ report.subject }}</title>
<style>
"""
    + STYLE
    + """h3{font-size:1rem;margin:1.5rem 0 0}details{margin:.5rem 0}
summary{cursor:pointer;font-weight:600}
</style></head><body>
<h1>FOCUS {{ report.model }} conformance of <code>{{ report.subject }}</code>
{% if report.conforms %}<span class="tag ok">conforms</span>
{% else %}<span class="tag error">does not conform</span>{% endif %}</h1>
<p class="muted">{{ "{:,}".format(report.rows) }} rows as delivered, judged as
{{ report.dataset or "one dataset" }}; {{ report.verdicts|length }} rules:
{{ counts.fail }} failed, {{ counts.advice }} not followed (SHOULD), {{ counts.allowed }} allowed,
{{ counts["pass"] }} passed, {{ counts.skipped }} not judged.</p>
{% macro card(one) %}
<div class="card {{ '' if one.binding else 'warn-card' }}">
<p><span class="tag {{ 'error' if one.binding else 'warn' }}">{{ one.keyword }}</span>
<code>{{ one.rule }}</code> <span class="muted">
{% if one.rows is not none %}{{ "{:,}".format(one.rows) }} of {{ "{:,}".format(one.judged) }} rows
{% endif %}{{ one.reason }}</span></p>
<p>{{ one.text }}</p>
{% if one.note %}<p class="muted">{{ one.note }}</p>{% endif %}
{% if one.examples %}<div class="scroll"><table><tr><th>file</th><th>row</th>
{% for name in one.examples[0].values %}<th>{{ name }}</th>{% endfor %}</tr>
{% for example in one.examples %}<tr><td><code>{{ example.file }}</code></td>
<td>{{ example.row }}</td>{% for name in one.examples[0].values %}
<td><code>{{ example.values[name] if example.values[name] is not none else '(null)' }}</code></td>
{% endfor %}</tr>{% endfor %}</table></div>{% endif %}
<p>{{ one.hint }}</p></div>
{% endmacro %}
{% for title, columns in failed %}<h2>{{ title }}</h2>
{% for column, found in columns %}<h3><code>{{ column }}</code></h3>
{% for one in found %}{{ card(one) }}{% endfor %}{% endfor %}{% endfor %}
{% if summed %}<h2>Summed up</h2><p class="muted">Rules made of others; they fail with them.</p>
<table><tr><th>rule</th><th>text</th><th>why</th></tr>
{% for one in summed %}<tr><td><code>{{ one.rule }}</code></td><td>{{ one.text }}</td>
<td>{{ one.reason }}</td></tr>{% endfor %}</table>{% endif %}
{% if report.of("allowed") %}<h2>Allowed to fail</h2>
<table><tr><th>rule</th><th>rows</th><th>text</th><th>reason</th></tr>
{% for one in report.of("allowed") %}<tr><td><code>{{ one.rule }}</code></td>
<td>{{ one.rows if one.rows is not none else "" }}</td><td>{{ one.text }}</td>
<td>{{ one.reason }}</td></tr>{% endfor %}</table>{% endif %}
<h2>What the provider supports</h2>
<p class="muted">Rules bound to a criterion are judged where it holds. What is not told in the
settings is read off the columns: a value shows support, its absence shows nothing.</p>
<table><tr><th>criterion</th><th>supported</th><th>how that is known</th><th>meaning</th></tr>
{% for one in report.supported %}<tr><td><code>{{ one.criterion }}</code></td>
<td>{{ {True: "yes", False: "no", None: "not known"}[one.supported] }}</td>
<td>{{ one.how }}</td><td>{{ one.description }}</td></tr>{% endfor %}</table>
<h2>Not judged</h2>
{% for reason, found in skipped %}<details><summary>{{ reason }} ({{ found|length }})</summary>
<table>{% for one in found %}<tr><td><code>{{ one.rule }}</code></td><td>{{ one.keyword }}</td>
<td>{{ one.text }}</td></tr>{% endfor %}</table></details>{% endfor %}
<h2>Passed</h2>
<details><summary>{{ counts["pass"] }} rules</summary>
<table><tr><th>rule</th><th>keyword</th><th>rows judged</th><th>text</th></tr>
{% for one in report.of("pass") %}<tr><td><code>{{ one.rule }}</code></td><td>{{ one.keyword }}</td>
<td>{{ "{:,}".format(one.judged) if one.judged is not none else "" }}</td>
<td>{{ one.text }}{% if one.note %} <span class="muted">{{ one.note }}</span>{% endif %}</td></tr>
{% endfor %}</table></details>
<p class="muted">Judged by the rules the FOCUS specification publishes, on the values as they were
delivered; files: {{ report.files[:20]|join(", ") }}{% if report.files|length > 20 %} and
{{ report.files|length - 20 }} more{% endif %}.</p>
</body></html>
"""
)


def render(report: Report) -> str:
    """The page as HTML text."""
    broken = [one for one in report.of("fail") if one.function != "Composite"]
    by_weight = (
        ("Failed", [one for one in broken if one.binding]),
        ("Not followed", [one for one in broken if not one.binding]),
    )
    skipped = sorted(report.of("skipped"), key=lambda one: one.reason)
    return filled(
        _PAGE,
        report=report,
        counts=report.counts,
        failed=[(title, _by_column(found)) for title, found in by_weight if found],
        summed=[one for one in report.of("fail") if one.function == "Composite"],
        skipped=[(why, list(found)) for why, found in groupby(skipped, lambda one: one.reason)],
    )


def _by_column(found: Iterable[Verdict]) -> list[tuple[str, list[Verdict]]]:
    return [(column, list(held)) for column, held in groupby(found, lambda one: one.column)]

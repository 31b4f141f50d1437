"""The audit as one static page for people: no scripts, no outside links, everything escaped.

Words and layout only; what is judged is in `audit`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from finops_dagster.quality.outcomes import AuditResult

STYLE = """\
body{font:15px/1.5 system-ui,sans-serif;color:#1d2733;background:#fff;margin:2rem auto;
max-width:70rem;padding:0 1rem}
h1{font-size:1.5rem;margin:0}h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.35rem .6rem;
border-bottom:1px solid #e3e8ee;vertical-align:top}th{font-weight:600;color:#55616f}
code{font:13px ui-monospace,monospace;overflow-wrap:anywhere}
.tag{display:inline-block;border-radius:4px;padding:0 .5rem;font-weight:600}
.ok{background:#e2f4e8;color:#14532d}.error{background:#fde4e1;color:#8a1c12}
.warn{background:#fdf1d3;color:#6f4a00}.muted{color:#55616f}
.card{border-left:4px solid #c9362a;padding:.2rem 1rem;margin:1rem 0;background:#fbf8f7}
.card.warn-card{border-color:#d39a1c}.scroll{overflow-x:auto}
"""
"""Of every page of this package."""

_PAGE = (
    """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Audit of {{ audit.table }}</title>
<style>
"""
    + STYLE
    + """</style></head><body>
<h1>Audit of <code>{{ audit.table }}</code>
{% if audit.success %}<span class="tag ok">passed</span>
{% else %}<span class="tag error">stopped</span>{% endif %}</h1>
<p class="muted">{{ "{:,}".format(audit.rows) }} rows, {{ audit.outcomes|length }} expectations:
{{ audit.failures|length }} failed, {{ audit.warnings|length }} warned,
{{ audit.abstained|length }} could not be judged.</p>
{% for outcome in audit.failures + audit.warnings %}
<div class="card {{ 'warn-card' if outcome.severity == 'warn' }}">
<p><span class="tag {{ outcome.severity }}">{{ outcome.severity }}</span>
<code>{{ outcome.name }}</code> <span class="muted">{{ outcome.observed }}</span></p>
<p>{{ outcome.hint }}</p>
{% if outcome.examples %}<div class="scroll"><table><tr>
{% for key in outcome.examples[0] %}<th>{{ key }}</th>{% endfor %}</tr>
{% for example in outcome.examples %}<tr>
{% for value in example.values() %}<td><code>{{ value or '(empty)' }}</code></td>{% endfor %}</tr>
{% endfor %}</table></div>{% endif %}</div>
{% endfor %}
{% if audit.abstained %}<h2>Not judged</h2><table><tr><th>expectation</th><th>why</th></tr>
{% for one in audit.abstained %}<tr><td><code>{{ one.subject }}</code></td><td>{{ one.reason }}</td>
</tr>{% endfor %}</table>{% endif %}
<h2>All expectations</h2>
<table><tr><th>result</th><th>name</th><th>column</th><th>expected</th><th>observed</th></tr>
{% for outcome in audit.outcomes %}<tr>
<td><span class="tag {{ 'ok' if outcome.success else outcome.severity }}">
{{ 'ok' if outcome.success else outcome.severity }}</span></td>
<td><code>{{ outcome.name }}</code></td><td><code>{{ outcome.column }}</code></td>
<td>{{ outcome.expectation.removeprefix('expect_').replace('_', ' ') }}</td>
<td>{{ outcome.observed }}</td></tr>
{% endfor %}</table>
<p class="muted">Judged with Great Expectations.</p>
</body></html>
"""
)


def render(audit: AuditResult) -> str:
    """The page as HTML text."""
    return filled(_PAGE, audit=audit)


def filled(template: str, **given: object) -> str:
    """A template of this package with what it shows, every value escaped."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined)
    return environment.from_string(template).render(**given)

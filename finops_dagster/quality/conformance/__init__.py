"""FOCUS conformance: a published rule model turned into SQL, and its verdicts on a delivery.

The model is data of the specification and is not shipped; a delivery is judged as it came.
"""

from finops_dagster.quality.conformance.judging import Options, Rows, judge
from finops_dagster.quality.conformance.model import WHERE_TO_GET, RuleModel, load_model
from finops_dagster.quality.conformance.predicates import Column
from finops_dagster.quality.conformance.verdicts import Example, Report, Verdict

__all__ = [
    "WHERE_TO_GET",
    "Column",
    "Example",
    "Options",
    "Report",
    "Rows",
    "RuleModel",
    "Verdict",
    "judge",
    "load_model",
]

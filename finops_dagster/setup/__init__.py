"""First steps with one's own estate: a settings file to fill in, a check of it, its reference page.

What a setting is lives in `settings`; what it leads to, in the packages it is handed to.
"""

from finops_dagster.setup.checks import Check, Outcome, Probes
from finops_dagster.setup.doctor import doctor
from finops_dagster.setup.forge import check_forge
from finops_dagster.setup.template import init

__all__ = ["Check", "Outcome", "Probes", "check_forge", "doctor", "init"]

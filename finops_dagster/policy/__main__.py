"""`python -m finops_dagster.policy BUNDLE`: what is wrong with a bundle; exit 1 if anything is.

For lint. Checking manifests is `finops policy check`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from finops_dagster.domain.errors import SettingsError
from finops_dagster.policy.bundle import RegoBundle
from finops_dagster.policy.engine import EngineError
from finops_dagster.policy.testing import lint_bundle, run_rego_tests


def main(arguments: list[str]) -> int:
    """Print every fault of the bundle named by the one argument."""
    if len(arguments) != 1:
        print("usage: python -m finops_dagster.policy BUNDLE", file=sys.stderr)
        return 2
    try:
        bundle = RegoBundle.load(Path(arguments[0]))
        faults = lint_bundle(bundle)
        tests = len(run_rego_tests(bundle).tests)
    except (SettingsError, EngineError) as error:
        print(error, file=sys.stderr)
        return 2
    for fault in faults:
        print(fault)
    print(f"{bundle.id}: {len(bundle.rules)} rules, {tests} tests, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

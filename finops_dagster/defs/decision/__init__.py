"""Findings become proposals, proposals get verdicts, and the day gets its report."""

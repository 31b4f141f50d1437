"""Candidate marts are audited and published."""

"""Allowed proposals become change sets and pull requests: the only stage that acts."""

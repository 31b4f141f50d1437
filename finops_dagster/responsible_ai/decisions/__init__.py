"""Whom the product's own decisions fall on: cuts asked for, what people made of them, errors.

Models that others run are judged next door, in fairness; facts are gathered in defs.
"""

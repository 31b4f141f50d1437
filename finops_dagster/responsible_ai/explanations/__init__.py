"""Why a model said what it said, in words and as pictures.

The engine that predicts computes the contributions.
"""

"""Policy: a proposal or a manifest in, a Verdict out, by a bundle of Rego rules.

What a rule says is Rego in the bundle; what becomes of a verdict is decided elsewhere.
"""

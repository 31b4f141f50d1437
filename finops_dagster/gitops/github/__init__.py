"""The forge that is GitHub or GitHub Enterprise.

What every forge promises is in domain.protocols; what is done on one is in gitops.
"""

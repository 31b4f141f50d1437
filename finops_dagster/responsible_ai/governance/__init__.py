"""The register of AI systems: what runs, who answers for it, what it owes, and the evidence of it.

What a check finds is judged elsewhere; nothing here is legal advice.
"""

"""From allowed proposals to change sets, branches and pull requests, and no further.

Insight, decision and policy are made elsewhere; the index that proves an edit is handed in.
"""

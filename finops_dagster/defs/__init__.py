"""The Dagster shell: assets, checks, jobs and schedules, one folder per stage in flow order.

An asset body reads, calls, writes and returns metadata; arithmetic lives in the workers.
"""

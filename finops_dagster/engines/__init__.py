"""The three engines: forecasting, anomalies and optimisation; history in, judgements out.

They import no orchestrator, no storage and not each other.
"""

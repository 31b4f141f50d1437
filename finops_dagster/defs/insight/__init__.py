"""Forecasts, anomalies, findings and the health of AI models, from published marts."""

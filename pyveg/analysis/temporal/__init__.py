"""Indicators, trends and tests over time."""

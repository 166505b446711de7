"""Runs as values: what an execution left, read from any machine that reaches its Store."""

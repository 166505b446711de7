"""Autoscale formulas: a small language of which the service documents types and functions."""

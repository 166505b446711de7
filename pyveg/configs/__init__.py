"""Configs that people run, and what turns a config into a run."""

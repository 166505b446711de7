"""Fakes and contract checks, for our tests and for authors of plugins."""

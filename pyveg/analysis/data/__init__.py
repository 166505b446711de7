"""Results as series on a regular axis of time."""

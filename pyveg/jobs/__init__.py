"""From a config to a run, and what comes after it: the one room that puts parts together."""

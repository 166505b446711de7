"""Images through a model: shards of them scored, and all results in one file."""

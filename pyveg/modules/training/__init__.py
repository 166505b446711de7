"""Train a model by any program, promote the best checkpoint, predict with it."""

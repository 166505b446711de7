"""Models that are trained, promoted and used: catalogues, checkpoints, and a reference trainer.

`catalogue` reads what a model learns from and predicts for, `promotion` keeps the best checkpoint,
`texture` is a small classifier of chips, and `train_chips` and `predict_chips` are the two
reference programs, which any others with the same options can stand in for.
"""

"""How often the tests are right: their size, power and ROC on simulated places of known fate."""

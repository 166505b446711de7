"""The API of BaJoR, the batch job runner of the Galaxy Zoo, as its client KaDE knows it.

Its jobs are jobs of the processes ``train`` and ``predict``: the same table, runs and pages.
https://github.com/zooniverse/bajor
"""

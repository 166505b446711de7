"""The batch API of camera traps (version 4) as its clients know it, and its sibling.

Its jobs are jobs of the process ``score-images``: the same table, runs and pages.
https://github.com/agentmorris/MegaDetector
"""

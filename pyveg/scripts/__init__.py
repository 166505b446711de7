"""Commands: parse, call, print. Errors become exit codes here.

What does the work is imported inside the functions, so that ``--help`` answers at once.
"""

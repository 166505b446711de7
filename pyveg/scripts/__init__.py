"""Commands: parse, call, print. Errors become exit codes here."""

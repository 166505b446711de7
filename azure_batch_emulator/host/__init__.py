"""The machine under an account: time, threads, folders and processes."""

"""The steps: each reads keys, calls kernels and writes keys."""

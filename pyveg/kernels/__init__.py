"""How numbers are made: arrays in, arrays out; no files, no logging, no settings objects."""

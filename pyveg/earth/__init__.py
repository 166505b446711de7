"""The subject: places, periods, collections, scenes, and what a run over a place writes."""

"""The engine of Dask: Tasks on the workers of a scheduler.

`errand` holds what travels, `worker` does it on a worker, `apart` does it in a process of its own
there, `fitness` says which workers can do it, `cluster` finds or starts them, `dispatch` hands out
Tasks and takes what comes back, `sizes` says how many go out together, and `runner` is the engine
as the coordinator sees it. `distributed` is imported when a run needs it, not before.
"""

"""The engine of Dask: Tasks on the workers of a scheduler.

`messages` holds what travels, `opening` opens the Store of a run on a worker, `worker` does the
Tasks there, `child_processes` does them in a process of their own below it, `worker_checks` says
which workers can, `cluster` finds or starts them, `dispatch` hands out Tasks and takes what comes
back, `sizes` says how many go out together, and `runner` is the engine as the coordinator sees it.
`distributed` is imported when a run needs it, not before.
"""

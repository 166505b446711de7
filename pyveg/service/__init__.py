"""The job service: jobs over HTTP, each of which is one run of pyveg.

============  ====================================================================================
module        what it has
============  ====================================================================================
`states`      the states of a job, and the one table of moves between them
`records`     a job, a caller and a process's description as values
`table`       the SQLite file: its schema, connections and transactions
`admission`   whether a job is taken in: keys of requests, limits
`jobs_table`  the statements about jobs: moves, lists, changes
`callers`     who may ask: tokens as digests, sessions of browsers, the audit
`config`      ``service_config.py``: typed settings, and the commented file
`inputs`      typed inputs of a process as a JSON schema, and their checks
`processes`   the processes that are offered: those built in, and files of operators
`builtin/`    the files of the processes ``resilience`` and ``run-command``
`desk`        what routes and pages call: plain methods that check who asks
`telling`     log, tasks and nodes of a job, read from its run
`results`     what a job has made, and links to it that expire
`looking`     what is to be seen of a job
`outcome`     the state of a job, worked out from its run and its child
`children`    the processes of jobs: start, find again, signal
`notes`       what is kept of a job in its folder
`child`       what such a process does: one run
`supervisor`  compares table and runs, and acts: starts, adopts, resumes, stops
`tidying`     what is kept for how long
`health`      whether the service is well, as all its processes read it
`serve`       puts a server together: lock, table, socket, supervisor, web processes
`watching`    the same for pages about runs alone (``--watch``)
`web/`        FastAPI: routes, who asks, limits, problems, events, metrics
`pages/`      HTML for people
============  ====================================================================================

Only `web` and `pages` know FastAPI. Web processes never run jobs; they read and write the table.
The truth about a run is in its Store; the table has who asked, who wants it stopped, and a copy.
"""

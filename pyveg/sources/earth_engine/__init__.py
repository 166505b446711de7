"""Google Earth Engine: composites and weather, made on the server and fetched on our own grid.

source.py       the Source: what to ask for one period, and what becomes of the answer
graphs.py       the computations, as the service's client writes them down
session.py      one client per process: started on first use, retried, throttled, counted
transport.py    HTTP with time limits, and what the headers of answers say
credentials.py  which project and which sign-in
advice.py       errors of the service, in one sentence each
retry.py        how long to wait, and whether to
tiles.py        requests within the size limit, and their answers joined
cache.py        answers that are there already
listing.py      the scenes of a period: which are clear enough, and what is recorded of them
grids.py        grids as the service takes them; cells of weather
compute.py      how much compute a request cost

Only graphs.py, session.py and credentials.py import the client, inside functions.
"""

"""HTTP: routes in the shape of OGC API - Processes, who asks, limits, problems, events, metrics."""

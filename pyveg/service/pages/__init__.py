"""HTML for people: jobs or runs, live, and the forms that submit jobs.

=============  ===================================================================================
module         what it has
=============  ===================================================================================
`looks`        a job or a run as a page shows it
`boards`       what pages ask: the jobs of a desk, or the runs at a location
`reading`      what a page reads in one run: the end of its log, results, pictures, nodes
`parts`        the parts of a page that change while it is open
`live`         parts sent as they change, made once for all who look
`rendering`    templates to HTML
`answers`      responses with their headers; errors as pages
`sent_files`   files of a run as a browser is given them
`site`         who looks, and what all routes share
`watched`      pages about one job or run
`lists`        the list of them
`form_fields`  fields of forms as texts, and inputs from these
`forms`        submitting, cancelling and removing jobs
`signing_in`   a token for a cookie
`mounting`     all routes put together
=============  ===================================================================================

``templates/`` and ``static/`` hold HTML, the style, the scripts and the map.
"""

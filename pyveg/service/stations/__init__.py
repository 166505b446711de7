"""Stations: cameras in the field that send images.

============  ====================================================================================
module        what it has
============  ====================================================================================
`settings`    what a station is, as its owner gives it
`records`     its table: stations with their keys, masks, images
`archive`     its files, in PhenoCam's layout
`looking`     an image in memory -> what the row says, and what may be stored
`desk`        what routes call: plain methods that check who asks
`series`      rows -> JSON and PhenoCam's tables
============  ====================================================================================

The routes are in `pyveg.service.web.station_routes`, the page in `pyveg.service.pages.stations`.

An image is looked at in memory. Its file is written, then its row, then the answer is sent: what
was acknowledged is there whenever the machine loses power, and what was not is sent again.
"""

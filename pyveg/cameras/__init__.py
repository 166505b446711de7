"""Field cameras in the layout of PhenoCam: names, masks, and tables of greenness.

==============  ==================================================================================
module          what it has
==============  ==================================================================================
`names`         when an image was taken, from its name or its Exif
`masks`         regions of interest, which change with time
`roistats`      one row for each image: ``<site>_<roi>_roistats.csv``
`summaries`     one row for each period: ``<site>_<roi>_1day.csv`` and ``_3day.csv``
`measuring`     images -> rows
`privacy`       what an image says beside its picture, and people on it
`station_send`  the sender that runs at a camera, with the standard library alone
==============  ==================================================================================
"""

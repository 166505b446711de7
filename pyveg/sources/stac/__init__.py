"""Imagery from STAC catalogues, without an account.

`source.py` puts it together: `catalogue.py` finds scenes, `signing.py` signs their links where a
service wants that, `radiometry.py` tells what their numbers mean, `reading.py` reads them on the
grid of the place, and `pyveg.kernels.composite` makes one image of a period of them.
"""

"""The known collections, under the name that configs import them by."""

from pyveg.sources.collections import data_collections

__all__ = ["data_collections"]

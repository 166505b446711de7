"""Where raw bands come from: one file per Source, and the records of the collections.

A Source implements `pyveg.core.ports.Source`, is named by the ``source`` of a collection record,
and passes the checks of `pyveg.testing.source_contract`.
"""

"""Where bytes are kept. Each Store passes the checks of `pyveg.testing.store_contract`."""

"""The processes that come with pyveg; each module makes one from the config of the service."""

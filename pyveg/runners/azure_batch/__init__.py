"""Tasks on nodes of Azure Batch.

`models` and `bundles` make what the service takes out of Tasks and settings, and `service` is the
only part that talks to it; `watch` follows what changes there, `outcomes` reads from the Store how
Tasks ended, and `runner` is the engine. `packages` makes wheels of the pyveg that is installed
here. How a node is set up is in `pyveg/scripts/batch_commands.sh`.
"""

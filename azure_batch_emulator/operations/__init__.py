"""The operations of the service, a file for each kind of thing that they are about."""

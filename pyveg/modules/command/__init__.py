"""Any program over any files: what `CommandModule` is made of."""

"""What people run and copy: examples, and the records of the known collections."""

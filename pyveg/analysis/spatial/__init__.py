"""What the images of a run say: spatial signals, their nulls and their course over time."""

"""Models that look at images, as Scorers."""

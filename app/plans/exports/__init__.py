"""A plan as a file to take away: one module per format, each with the list of what its format cannot hold."""

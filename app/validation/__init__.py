"""The judge: an event and a plan in, a verdict and its reasons out. Pure: no clock, no I/O, no randomness."""

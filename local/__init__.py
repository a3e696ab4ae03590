"""The embedded stack behind `make run`: the whole production shape on one machine's loopback."""

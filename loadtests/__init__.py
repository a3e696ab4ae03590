"""The promised figures, proven on a running stack: the load target, the ratios, and the ledger kept under faults."""

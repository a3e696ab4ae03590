"""The front door: bytes in, receipt out."""

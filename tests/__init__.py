"""The promises of the product, checked against real servers."""

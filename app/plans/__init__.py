"""The law book: how tracking plans are read, versioned and looked up."""

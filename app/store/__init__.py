"""The archive: the tables, the group commit, and the questions asked of them."""

"""The keys: who someone is, and the one word for what they may do."""

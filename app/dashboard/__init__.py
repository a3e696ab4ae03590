"""The windows: pages, and the JSON they ask for."""

"""The bell: announce after the commit, one stream per viewer."""

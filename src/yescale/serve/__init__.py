"""`yescale serve`: the supervisor of an installation, and what it starts."""

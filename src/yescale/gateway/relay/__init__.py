"""One call, from a client's request to a provider and back: callbacks only."""

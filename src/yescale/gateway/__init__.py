"""The data plane: one worker process that admits, relays and accounts for model calls. It has no database driver."""

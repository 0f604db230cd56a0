"""Where a call may go: an indexed snapshot and the choice of a channel. Pure."""

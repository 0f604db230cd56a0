"""yescale: one key and one base URL for every AI model."""

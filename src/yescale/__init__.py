"""yescale: one key, one base URL, every AI model."""

"""Companies that speak like OpenAI, below `/alike/<name>`: one fake for all, with a row for whoever takes less."""

"""Ollama's routes that are compatible with OpenAI's (https://docs.ollama.com/api/openai-compatibility)."""

"""OpenAI's models as Azure serves them (https://learn.microsoft.com/azure/ai-foundry/openai/reference)."""

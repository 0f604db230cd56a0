"""DeepSeek's own API, as published (https://api-docs.deepseek.com/api/create-chat-completion, guides/thinking_mode)."""

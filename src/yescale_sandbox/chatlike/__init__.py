"""Chats of companies that speak nearly as OpenAI does: what they share, and the manner of each as a value."""

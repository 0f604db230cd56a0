"""Reranking at Cohere and at Jina, each in its own shape."""

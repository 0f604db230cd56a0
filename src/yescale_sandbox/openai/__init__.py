"""OpenAI's chat completions, embeddings and models, as published.

The schema is https://github.com/openai/openai-openapi (openapi.json, version 2.3.0). Error texts, codes and the order
in which faults are reported are those that OpenAI's users quote in issue threads; the modules name some of them.
"""

"""OpenAI's Responses, as published: openapi.json, `CreateResponse`, `Response` and `ResponseStreamEvent`."""

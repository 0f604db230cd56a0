"""Google AI Studio's Gemini API (v1beta), faked.

Sources: https://ai.google.dev/api/generate-content, the types of the google-genai SDK, and reports of real answers;
each wording names its own.
"""

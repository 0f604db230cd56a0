"""Google Vertex AI (aiplatform v1), faked: Gemini's models behind Google's OAuth.

Sources: the discovery document of aiplatform v1 (https://aiplatform.googleapis.com/$discovery/rest?version=v1) and
https://docs.cloud.google.com/vertex-ai/generative-ai/docs/model-reference/inference.
"""

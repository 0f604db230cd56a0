"""Anthropic's Messages API, token counting and models, as published.

The shapes are those of https://platform.claude.com/docs/en/api/messages and of the types in
https://github.com/anthropics/anthropic-sdk-python; the words of errors are those that users quote in issue threads.
"""

"""Fakes of the providers, faithful and deterministic: for tests, for `yescale serve --sandbox`, for the docs.

Imports nothing of yescale: a mistake of a codec must not be mirrored by its test double.
"""

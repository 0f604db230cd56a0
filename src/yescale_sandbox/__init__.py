"""All providers, faked faithfully.

Imports nothing of yescale, so that a codec's mistake is not mirrored by its test double.
"""

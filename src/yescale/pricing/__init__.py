"""Prices as rows: what a usage costs, and the most that a call can cost. Pure."""

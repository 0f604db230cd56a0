"""The control process: everything that waits on a database or a clock. It may be slow
without slowing a single token.
"""

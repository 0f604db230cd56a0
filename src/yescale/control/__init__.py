"""The control process: everything that waits on a database or a clock, without slowing a single token."""

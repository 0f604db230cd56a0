"""Why an operation is refused: one sentence for who asked."""


class OperationRefused(Exception):
    """The operation cannot be done as asked. Its message says why and what to do."""

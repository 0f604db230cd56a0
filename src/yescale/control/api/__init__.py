"""The API of the console and of operators, `/api/v1/*`: one module per resource, each with its `router`."""

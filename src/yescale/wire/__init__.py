"""HTTP/1.1 on bytes: a server and a pooled client as callbacks on one event loop. Knows nothing of AI."""

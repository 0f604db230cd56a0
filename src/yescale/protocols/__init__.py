"""Wire formats, pure: how each is peeked at, changed as little as possible, listened to, and answered in."""

"""Sessions over WebSocket: asked for and admitted like a call, relayed both ways, charged response by response."""

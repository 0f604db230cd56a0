"""OpenAI's Realtime over WebSocket (openapi.json, `RealtimeClientEvent`, `RealtimeServerEvent`).

Both forms are spoken: the general one, and the beta that `OpenAI-Beta: realtime=v1` asks for, with its older names.
"""

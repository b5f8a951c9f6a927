"""The swarm over HTTP and WebSocket: a server in a thread of its own beside a running swarm.

Nothing in the server's thread touches an object of the run. It is handed immutable frames by the
hub and asks everything else of the registry of commands.
"""

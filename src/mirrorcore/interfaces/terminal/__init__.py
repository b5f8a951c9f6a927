"""The terminal monitor: a full screen over a swarm that runs elsewhere, and a plain grid for logs.

May import the other interfaces. Textual and websockets are loaded when a screen is opened, never by
the plain grid.
"""

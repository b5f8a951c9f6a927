"""Projects and agents of a user's own, begun from templates: nothing that is there is overwritten.

``templates`` are the texts, ``agents`` writes one agent with its test and its entry, ``projects``
a folder to begin in.
"""

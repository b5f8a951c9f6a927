"""History of venues and services into files, in pieces that outlive a kill.

Candles come page by page; each page is a file of its own until all of them are there and become
one. May import what ``data_sources`` may.
"""

"""What nobody coded: detectors over a swarm, each with a null hypothesis and an error rate.

Each detector works alone on arrays: built from static facts, fed one tick at a time, it returns
findings and uses nothing from the future. Imports the journal, the bus, the market and below.
"""

"""What people say: an index of fear and greed, headlines of feeds, posts; and what they are worth.

Texts are data and never instructions. A ``Scorer`` turns a title into a number, the aggregation
turns scored titles into observations, without ever looking ahead.
"""

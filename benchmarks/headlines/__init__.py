"""Headlines labelled by hand, against which the market lexicon is measured.

``labels.csv`` holds row numbers and labels, never a text: the headlines belong to their
publishers and stay in the data folder. ``README.md`` holds the rule by which they were labelled.
"""

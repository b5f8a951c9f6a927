"""Blocks, transfers and swaps of Ethereum-like chains, and results of queries about them.

A chain is followed block by block. What a block held is told at once as PROVISIONAL and again,
without the flag, when enough blocks lie on top of it; a reorganisation retracts what it undid.
Amounts are whole numbers of a token's smallest unit and never pass through a float. web3 and httpx
come with the extra ``sources`` and are imported when a source first connects.
"""

"""What can be said about x from y besides the best estimate: means, intervals and draws.

Decoders import their error model from here, and posteriors import decoders; so import names from their files.
"""

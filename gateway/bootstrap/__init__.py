"""What runs first in mcpgw.pyz: fitness checks, the cache of unpacked files, the hand-over to shiv.

Copied to the top of the zipapp as `_mcpgw`, where nothing is installed yet: stdlib only, and nothing of `gateway`.
"""

"""Who may connect: bearer tokens, Origin and Host rules. OAuth joins here later."""

"""What no gateway on this machine can beat. Changing a floor needs a decision record: all ratios stand on it."""

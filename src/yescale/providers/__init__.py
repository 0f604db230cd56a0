"""Companies as values: where they are, how they are signed to, what they speak."""

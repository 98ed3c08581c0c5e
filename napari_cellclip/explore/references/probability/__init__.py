"""Turn likeness into verdicts: whether a mechanism can be recognised, and how probable a match is."""

"""What a screen keeps on disk: shards, plans, previews, labels, screen.json."""

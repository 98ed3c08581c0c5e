"""Model folders, checkpoints, the hub, and licences."""

"""The panels of the Explorer, one per file; each knows the session and no other panel."""

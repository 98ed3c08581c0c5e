"""The panels of the Explorer; each knows the session and no other panel."""

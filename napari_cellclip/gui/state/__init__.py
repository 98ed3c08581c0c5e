"""State of one viewer: session, selection, view, requests."""

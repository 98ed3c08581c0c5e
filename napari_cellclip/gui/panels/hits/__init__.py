"""The Hits tab: treatments as lines, their wells as chips; a gallery; filters."""

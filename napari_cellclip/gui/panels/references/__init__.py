"""The References tab: references of a question, recognisable mechanisms, sources."""

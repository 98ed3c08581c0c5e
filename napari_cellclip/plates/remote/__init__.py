"""Plates in object stores and on web servers: opened lazily through a bounded cache on disk."""

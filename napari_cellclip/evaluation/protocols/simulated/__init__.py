"""Protocols on simulated plates: mechanisms asked for in words, and whether verdicts keep their promises."""

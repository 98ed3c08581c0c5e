"""The figure: one page of what the window shows, for a paper or a meeting."""

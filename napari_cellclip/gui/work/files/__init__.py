"""Sessions, exports, figures and scripts: what the window writes to files, and reads back."""

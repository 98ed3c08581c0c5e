"""Layouts of instruments that write all they know into the names of their files and folders."""

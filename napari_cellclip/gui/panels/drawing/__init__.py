"""What plates and maps are drawn with; nothing here knows the session."""

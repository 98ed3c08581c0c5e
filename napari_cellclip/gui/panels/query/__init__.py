"""The query: its text, prompts, verdict, and which wells are highlighted."""

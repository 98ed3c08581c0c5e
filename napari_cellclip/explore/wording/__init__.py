"""Reading plain text: from what is typed to the prompts that are sent."""

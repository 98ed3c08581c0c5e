"""Reference treatments: wells whose identity is known, and what else looks like them."""

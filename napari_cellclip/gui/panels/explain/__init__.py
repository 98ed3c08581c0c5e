"""The Explain and Describe tabs: why wells match, and which terms fit them."""

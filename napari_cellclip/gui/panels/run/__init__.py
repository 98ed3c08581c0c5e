"""The Run tab: from a folder to an encoded screen."""

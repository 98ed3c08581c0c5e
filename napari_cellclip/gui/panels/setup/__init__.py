"""The Set-up tab: from a folder to an encoded screen."""

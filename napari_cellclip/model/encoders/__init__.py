"""Channel encoders and what is done to pixels before them."""

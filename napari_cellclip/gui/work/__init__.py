"""Workers and the controller that runs requests in them."""

"""What scores are compared with: sets of controls, random directions, texts known to be wrong."""

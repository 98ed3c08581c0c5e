"""Pictures of the window: every tab, dialog and state, at several sizes and scales, on both themes."""

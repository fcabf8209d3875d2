"""A page to plug, unplug, tap a card and break a thing by hand."""

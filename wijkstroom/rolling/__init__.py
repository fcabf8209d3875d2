"""A street planned hour by hour for weeks, in quarters and without sockets: what a way to plan is worth."""

"""The pure rules of a lead: no I/O, no clock, no settings, no framework."""

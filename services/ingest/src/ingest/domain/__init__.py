"""What the door decides, without I/O, clock, settings or framework."""

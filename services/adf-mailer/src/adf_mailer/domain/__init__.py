"""What an ADF mail is and who gets one. Pure: no I/O, no clock, no environment, no framework."""

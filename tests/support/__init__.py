"""What tests of several services and of the whole system share."""

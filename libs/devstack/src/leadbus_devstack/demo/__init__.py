"""`make demo`: four real leads, the whole way, compared at the end with what went in."""

"""``leadbus doctor``: everything is asked at once, then pure rules say what is wrong with what was seen."""

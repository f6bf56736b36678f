"""What comes back to the return path: its kind, which mail of ours it is about, what it means.

`reading.read` makes a Report of any bytes, `judging.judge` says what it means for the mail, `matching` which
mail that is. Tables: rules/bounces.md.
"""

"""What should happen, given what is recorded and what is seen: pure functions, no clock, no I/O.

`observed` holds what the functions look at; each other module answers one question.
"""

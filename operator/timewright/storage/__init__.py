"""What is remembered between runs, behind one protocol (`protocol`): claims, watermarks, locks, history.

`sqlite` keeps it for one machine, `postgresql` for many; `location` tells which one a URL names, and which is the
default here. Every store passes the same conformance suite.
"""

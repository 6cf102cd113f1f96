"""Decides what is due against a store and has it run: once (`invocation`), for ever (`loop`), or by hand.

Whoever asks, from a crontab line to a Pod, comes through here, so that the same decisions are made for all of them.
"""

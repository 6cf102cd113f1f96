"""Timewright: declare what runs and when, once; run it anywhere; account for every tick."""

__version__ = "0.1.0"

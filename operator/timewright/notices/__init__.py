"""Telling people and monitors what becomes of runs: texts, pace, and delivery that no run waits for."""

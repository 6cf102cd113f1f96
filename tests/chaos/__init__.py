"""Daemons as processes on a real control plane, and what can befall them."""

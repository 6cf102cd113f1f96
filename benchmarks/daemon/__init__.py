"""How fast daemons are, on a control plane of their own, beside others that do the same."""

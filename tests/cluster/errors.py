"""What goes wrong with a cluster in a way that a person can do something about."""


class ClusterError(Exception):
    """The cluster, or what it is made of, cannot do what was asked; the message says why."""

"""The operator: keeps what is in the cluster equal to what tasks ask for, and records what ran.

The only package that imports kopf and the Kubernetes client. `handlers` turns watch events into keys of a queue,
`reconcile` brings one task to its desired state, and each other module does one step of it or serves one need.
"""

"""The Kubernetes API as the operator and the daemon use it: requests, and objects reduced to what decisions look at."""

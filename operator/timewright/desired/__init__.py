"""The objects that a ScheduledTask stands for in Kubernetes, as plain dictionaries.

Pure: the same task always gives the same manifest, so applying it twice changes nothing.
"""

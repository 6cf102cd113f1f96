"""The daemon: starts the ticks of one namespace's tasks of mode Daemon, from a process that keeps running."""

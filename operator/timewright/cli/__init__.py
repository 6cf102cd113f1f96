"""The command line. A colon in a command's name means this process's schedule, a bare verb means the cluster."""

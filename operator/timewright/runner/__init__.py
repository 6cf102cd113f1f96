"""Executes one run of a task: a command, an HTTP request or a Python call, watched over until it has really ended.

Nothing here knows of Kubernetes: the definition comes in as a ScheduledTask, the result goes out as a `RunReport`.
A kind of task is one module with a coroutine `run(work, context, output, stop, limits) -> Result`, named in `run.KINDS`
and imported only when a task of that kind runs, since starting up is most of what a small task costs.
"""

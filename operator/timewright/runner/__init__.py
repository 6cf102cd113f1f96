"""Executes one run of a task, over all of its attempts, until it has really ended. Many runs may share a process.

Nothing here knows of Kubernetes. What to run is a `Definition` (`manifest` reads one out of a ScheduledTask), for whom
and when a `RunContext`, how it went a `RunResult`; `run.execute` leads from one to the other. A kind of work is one
module with a coroutine `run(work, context, output, stop, limits) -> Result`, named in `run.KINDS` and imported only
when a task of that kind runs, since starting up is most of what a small task costs:

- processes (`command`, `python_call`, `in_child`): `process` runs one with its `limits`, as `child`; `process_tree`
  finds what it has started, `memory` what that holds, `output_pipes` what it prints;
- functions in this process (`in_process`): `guarded_call` awaits them by `coroutine_driver` or has them called in
  `threads`, while `fork_guard`, `standard_descriptors`, `routed_streams`, `signals` and `event_loop` keep what they do
  from harming others;
- around a run: `attempts`, `hook_calls`, `stop`, and `output` with `capture`, `masking`, `live_output`, `output_copy`.
"""

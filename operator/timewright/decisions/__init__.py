"""What should happen, given what is recorded and what is seen: pure functions, no clock, no I/O.

Each module answers one question, in two groups that share `parameters`:

- With Kubernetes, where the native controller fires: `observed` holds what the functions look at; `acceptance`,
  `manual`, `next_tick`, `result`, `run_status`, `status` and `retention` answer.
- Without it: `rules`, `policies` and `task_state` are what the functions look at, `decision` is what they return.
  Start at `ticks`, which asks `undecided` (which ticks may still start) and `overlap` (for which runs there is room);
  `applying` folds a decision into the state. `by_hand` admits runs by hand, `retries` spaces attempts.
  `policies_of_spec` and `timetable_of_spec` read from a manifest what they all go by.
"""

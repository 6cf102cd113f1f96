"""From declarations to the tasks that the engine runs."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from timewright.decisions.policies import MissedRuns, NeededLock, Policies, Retry
from timewright.engine.task import Condition, Task
from timewright.resources.vocabulary import ConcurrencyPolicy, LockPolicy
from timewright.runner.definition import NO_RETRY, Definition, OutputFile
from timewright.runner.hooks import NO_HOOKS, Hooks
from timewright.schedule.errors import DeclarationError
from timewright.schedule.functions import Inverse, check_arguments, is_importable
from timewright.schedule.names import name_of_task
from timewright.schedule.timing import parse_arguments
from timewright.schedule.work import Command, Request
from timewright.storage.protocol import Retention
from timewright.timetable.errors import ScheduleError
from timewright.timetable.parsing import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from timewright.runner.definition import Kind
    from timewright.schedule.declaration import Declaration
    from timewright.schedule.settings import Settings
    from timewright.schedule.timing import ParseArguments
    from timewright.timetable import Schedule as Timetable

_ARGUMENTS = (
    'give call(…) its arguments, or declare what a run by hand may vary: parameter("since", default="yesterday")'
)
_NO_POLICIES = Policies()
_ONE_EACH: Mapping[str, int] = MappingProxyType({})
_DEFAULT_RETENTION = Retention()


class Builder:
    """Builds the tasks of one schedule."""

    def __init__(
        self,
        schedule: str,
        *,
        salt: str = "",
        host: str | None = None,
        environment: str | None = None,
        maintenance: Callable[[], Any] | None = None,
        app: str | None = None,
        slots: Mapping[str, int] = _ONE_EACH,
    ) -> None:
        """Take what all tasks share.

        Args:
            schedule: the name of the schedule.
            salt: what `H` is spread by besides the names.
            host: the name of this machine where others share the store; tasks that run on each carry it in their key.
            environment: where this is, such as "production"; None when nobody says.
            maintenance: tells whether there is maintenance.
            app: where a child process finds the schedule, `module:attribute`.
            slots: of locks that several runs may hold at once, how many.

        """
        self._schedule = schedule
        self._salt = salt
        self._host = host
        self._environment = environment
        self._app = app
        self._slots = slots
        self._maintenance = None if maintenance is None else Condition("maintenance", Inverse(maintenance))
        self._timetables: dict[ParseArguments, tuple[Timetable, str]] = {}

    def build(self, declarations: Iterable[Declaration]) -> list[Task]:
        """Return the tasks of declarations, without those that are for other environments.

        Raises:
            DeclarationError: when any of them cannot be built; it tells of all that cannot.

        """
        tasks: list[Task] = []
        named: dict[str, Declaration] = {}
        problems: list[str] = []
        for declaration in declarations:
            try:
                if not self._is_here(declaration):
                    continue
                name = name_of_task(declaration)
                other = named.setdefault(name, declaration)
                tasks.append(self._task(name, declaration))
            except DeclarationError as error:
                problems.append(str(error))
            else:
                if other is not declaration:
                    problem = f"task {name!r} has the name of the task at {other.place}"
                    problems.append(f"{declaration.place}: {problem}; give one of them another name: named(…)")
        if problems:
            raise DeclarationError("\n".join(problems))
        return tasks

    def _is_here(self, declaration: Declaration) -> bool:
        wanted = declaration.settings.environments
        if wanted is None:
            return True
        if self._environment is None:
            problem = f"environments {', '.join(wanted)}: nobody says which environment this is"
            remedy = "set TIMEWRIGHT_ENVIRONMENT, or give Schedule(…) an environment"
            raise DeclarationError(f"{declaration.place}: {problem}; {remedy}")
        return self._environment in wanted

    def _task(self, name: str, declaration: Declaration) -> Task:
        settings = declaration.settings
        timetable, schedule_id = self._timetable(name, declaration)
        overlap = settings.concurrency is not ConcurrencyPolicy.ALLOW or settings.max_concurrent is not None
        is_shared = overlap if settings.one_server is None else settings.one_server
        key = f"{self._schedule}/{name}"
        return Task(
            definition=self._definition(name, declaration),
            key=key if is_shared or self._host is None else f"{key}@{self._host}",
            timetable=timetable,
            schedule_id=schedule_id,
            policies=self._policies(name, declaration),
            suspended=settings.suspended,
            exclusive=overlap or is_shared or bool(settings.locks),
            jitter=settings.jitter,
            in_background=settings.in_background,
            conditions=self._conditions(settings),
            retention=_DEFAULT_RETENTION if settings.history is None else Retention(*settings.history),
            even_when_paused=settings.even_when_paused,
            description=settings.description,
        )

    def _timetable(self, name: str, declaration: Declaration) -> tuple[Timetable | None, str]:
        settings = declaration.settings
        if settings.by_hand:
            return None, ""
        try:
            arguments = parse_arguments(settings, self._salt, self._schedule, name)
            known = self._timetables.get(arguments)
            if known is None:
                known = parse(**arguments.as_keywords()), arguments.digest()
                self._timetables[arguments] = known
        except ScheduleError as error:
            raise DeclarationError(f"{declaration.place}: task {name!r}: {error}") from error
        timetable, schedule_id = known
        return timetable, f"{schedule_id}~{settings.jitter}" if settings.jitter else schedule_id

    def _policies(self, name: str, declaration: Declaration) -> Policies:
        settings = declaration.settings
        policies = _policies(settings)
        if not settings.locks:
            if settings.skip_if_locked:
                problem = "skip_if_locked(): the task names no locks"
                raise DeclarationError(f"{declaration.place}: task {name!r}: {problem}; name them: locks(…)")
            return policies
        return replace(
            policies,
            locks=tuple(NeededLock(lock, self._slots.get(lock, 1)) for lock in settings.locks),
            lock_policy=LockPolicy.SKIP if settings.skip_if_locked else LockPolicy.WAIT,
        )

    def _conditions(self, settings: Settings) -> tuple[Condition, ...]:
        if self._maintenance is None or settings.even_in_maintenance_mode:
            if not settings.conditions:
                return ()
            return tuple(Condition(text, test) for text, test in settings.conditions)
        return (self._maintenance, *(Condition(text, test) for text, test in settings.conditions))

    def _definition(self, name: str, declaration: Declaration) -> Definition:
        settings = declaration.settings
        kind, work = self._work(name, declaration)
        return Definition(
            name,
            self._schedule,
            kind,
            work,
            settings.parameters,
            settings.timeout,
            retry=NO_RETRY if settings.retry is None else Retry(*settings.retry),
            hooks=_hooks(settings),
            memory_limit_bytes=settings.memory_limit,
            output_file=None
            if settings.output_path is None
            else OutputFile(settings.output_path, settings.output_appended),
            environment=dict(settings.environment),
        )

    def _work(self, name: str, declaration: Declaration) -> tuple[Kind, Any]:
        work = declaration.work
        if isinstance(work, Command):
            return "command", work.arguments
        if isinstance(work, Request):
            return "http", _request(work)
        from timewright.runner.call import Call

        problem = check_arguments(work, [parameter.name for parameter in declaration.settings.parameters])
        if problem:
            raise DeclarationError(f"{declaration.place}: task {name!r}: {problem}; {_ARGUMENTS}")
        reference = None
        if self._app is not None and not is_importable(work.function):
            reference = f"app:{self._app}#{name}"
        return "call", Call(work.function, work.args, work.kwargs, reference, declaration.settings.isolated)


def _policies(settings: Settings) -> Policies:
    missed = settings.missed_runs
    policies = Policies(
        concurrency=settings.concurrency,
        max_concurrent=settings.max_concurrent,
        max_queued=settings.max_queued,
        starting_deadline=settings.starting_deadline,
        missed_runs=_NO_POLICIES.missed_runs if missed is None else MissedRuns(*missed),
        on_resume=settings.on_resume,
        on_schedule_change=settings.on_schedule_change,
        on_lost=settings.on_lost,
        retry=NO_RETRY if settings.retry is None else Retry(*settings.retry),
    )
    return _NO_POLICIES if policies == _NO_POLICIES else policies


_HOOKS = tuple(Hooks.__dataclass_fields__)


def _hooks(settings: Settings) -> Hooks:
    if not any(name in settings.__dict__ for name in _HOOKS):
        return NO_HOOKS
    return Hooks(**{name: getattr(settings, name) for name in _HOOKS})


def _request(request: Request) -> Any:
    # The model brings pydantic, which tasks of other kinds do without.
    from timewright.resources.kinds import HttpHeader, HttpMethod, HttpRequest

    return HttpRequest(
        method=HttpMethod(request.method),
        url=request.url,
        headers=[HttpHeader(name=name, value=value) for name, value in request.headers],
        body=request.body,
        expected_status=list(request.expected_status),
    )

"""Finds the cluster that a command means, as kubectl would."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from timewright.cli.exit_codes import CLUSTER_FAILED, USAGE, CommandError

if TYPE_CHECKING:
    from kubernetes.aio.client import Configuration

    from timewright.cluster.api import Api, ApiError, Resource

_SERVICE_ACCOUNT_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True, slots=True)
class Target:
    """Which cluster and namespace a command's options name."""

    namespace: str | None = None
    context: str | None = None
    kubeconfig: str | None = None


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster, and the namespace that the command is about."""

    api: Api
    namespace: str


@asynccontextmanager
async def connected(target: Target) -> AsyncIterator[Cluster]:
    """Speak to the cluster that was named.

    Whatever goes wrong with it, inside the context too, is raised as CommandError in words for a person.
    """
    try:
        from timewright.cluster.api import Api, ApiError
    except ModuleNotFoundError as error:
        raise CommandError(
            f"this command speaks to a cluster, and needs the module {error.name!r} for it; "
            "install it with: pip install 'timewright[operator]'",
            CLUSTER_FAILED,
        ) from error
    from kubernetes.aio.client import ApiClient

    configuration, default_namespace = await _configuration(target)
    async with Api(ApiClient(configuration)) as api:
        try:
            yield Cluster(api, target.namespace or default_namespace)
        except ApiError as error:
            raise CommandError(_explain(error), CLUSTER_FAILED) from error
        except OSError as error:
            text = f"the cluster at {configuration.host} cannot be reached: {error or type(error).__name__}"
            raise CommandError(text, CLUSTER_FAILED) from error


def missing(error: ApiError, resource: Resource) -> CommandError | None:
    """Return what to say if the error means that the cluster does not know the resource at all."""
    if error.not_found and "could not find the requested resource" in error.message:
        return CommandError(
            f"this cluster has no {resource.plural}.timewright.dev: install timewright in it first", CLUSTER_FAILED
        )
    return None


def _explain(error: ApiError) -> str:
    if error.status == 401:
        return "the cluster does not accept the credentials (401 Unauthorized); log in again, or choose --context"
    return f"the cluster refused: {error.message or error}"


async def _configuration(target: Target) -> tuple[Configuration, str]:
    """Return the client's settings and the namespace that applies when none is named."""
    from kubernetes.aio import config
    from kubernetes.aio.client import Configuration

    configuration = Configuration()
    in_pod = os.environ.get("KUBERNETES_SERVICE_HOST") and not os.environ.get("KUBECONFIG")
    if in_pod and target.context is None and target.kubeconfig is None:
        config.load_incluster_config(client_configuration=configuration)
        return configuration, _namespace_of_pod()
    paths = target.kubeconfig or os.environ.get("KUBECONFIG") or "~/.kube/config"
    if not _any_exists(paths):
        raise CommandError(
            f"no kubeconfig at {paths}; name one with --kubeconfig or in the environment variable KUBECONFIG", USAGE
        )
    try:
        loader = await config.load_kube_config(
            config_file=paths, context=target.context, client_configuration=configuration, persist_config=False
        )
    except config.ConfigException as error:
        raise CommandError(f"the kubeconfig {paths} cannot be used: {error}", USAGE) from error
    return configuration, str(loader.current_context["context"].get("namespace") or "default")


def _namespace_of_pod() -> str:
    return _SERVICE_ACCOUNT_NAMESPACE.read_text().strip()


def _any_exists(paths: str) -> bool:
    """Tell whether one of the files of a list in the form of PATH exists."""
    return any(Path(path).expanduser().is_file() for path in paths.split(os.pathsep) if path)

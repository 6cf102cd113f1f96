"""The cluster from a shell."""

import argparse
import os
import signal
import sys

from tests.cluster import host, images, registry, toolchain
from tests.cluster.cluster import Cluster
from tests.cluster.errors import ClusterError
from tests.cluster.options import Options


def main() -> int:
    """Run one verb; an error that has an explanation ends as one line."""
    arguments = _parser().parse_args()
    # Without this a termination would skip the removal of what is half made, and of a temporary cluster.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        return int(arguments.verb(arguments) or 0)
    except ClusterError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _prepare(_: argparse.Namespace) -> None:
    host.prepare_node()
    toolchain.helm()
    toolchain.kubernetes()
    images.tiny()
    images.product()


def _helm(_: argparse.Namespace) -> None:
    print(toolchain.helm())


def _up(arguments: argparse.Namespace) -> None:
    cluster = Cluster.create(_options(arguments), name=arguments.name)
    print(f"cluster {cluster.name} is up; try: python3 -m tests.cluster kubectl {cluster.name} get pods -A")


def _down(arguments: argparse.Namespace) -> None:
    Cluster.open(arguments.name).down()


def _list(_: argparse.Namespace) -> None:
    for name in registry.names():
        print(name)


def _kubeconfig(arguments: argparse.Namespace) -> None:
    print(Cluster.open(arguments.name).kubeconfig)


def _kubectl(arguments: argparse.Namespace) -> None:
    _replace_process(Cluster.open(arguments.name), ["kubectl", *arguments.rest])


def _run(arguments: argparse.Namespace) -> None:
    _replace_process(Cluster.open(arguments.name), arguments.rest)


def _load(arguments: argparse.Namespace) -> None:
    cluster = Cluster.open(arguments.name)
    print(cluster.load_image(images.product()))


def _with(arguments: argparse.Namespace) -> int:
    cluster = Cluster.create(_options(arguments))
    try:
        command = cluster.command(arguments.rest)
        return os.spawnvpe(os.P_WAIT, command[0], command, cluster.environment)
    finally:
        cluster.down()


def _replace_process(cluster: Cluster, command: list[str]) -> None:
    argv = cluster.command(command)
    os.execvpe(argv[0], argv, cluster.environment)


def _options(arguments: argparse.Namespace) -> Options:
    gates = dict(gate.split("=", 1) for gate in arguments.feature_gate)
    return Options(
        node=arguments.node,
        controller_manager=not arguments.no_controller_manager,
        apiserver_flags=tuple(arguments.apiserver_flag),
        controller_manager_flags=tuple(arguments.controller_manager_flag),
        feature_gates={name: value == "true" for name, value in gates.items()},
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m tests.cluster", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    verbs.add_parser("prepare", help="install and build all that clusters need").set_defaults(verb=_prepare)
    verbs.add_parser("helm", help="print the path of helm, built if need be").set_defaults(verb=_helm)

    up = verbs.add_parser("up", help="start a cluster that stays until `down`")
    up.add_argument("name")
    _add_options(up)
    up.set_defaults(verb=_up)

    temporary = verbs.add_parser("with", help="start a cluster, run a command inside its network, remove the cluster")
    _add_options(temporary)
    temporary.add_argument("rest", nargs=argparse.REMAINDER, metavar="COMMAND")
    temporary.set_defaults(verb=_with)

    verbs.add_parser("list", help="name the clusters of this host").set_defaults(verb=_list)
    for name, verb, text in (
        ("down", _down, "end a cluster and remove every trace of it"),
        ("kubeconfig", _kubeconfig, "print the path of the administrator's kubeconfig"),
        ("load", _load, "build the product's image, give it to the node and print its name"),
    ):
        simple = verbs.add_parser(name, help=text)
        simple.add_argument("name")
        simple.set_defaults(verb=verb)
    for name, verb, text in (
        ("kubectl", _kubectl, "run kubectl as an administrator"),
        ("run", _run, "run any command inside the network, with KUBECONFIG set"),
    ):
        passing = verbs.add_parser(name, help=text)
        passing.add_argument("name")
        passing.add_argument("rest", nargs=argparse.REMAINDER, metavar="ARGUMENT")
        passing.set_defaults(verb=verb)
    return parser


def _add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--node", action="store_true", help="with a node, so that pods run")
    parser.add_argument("--no-controller-manager", action="store_true")
    parser.add_argument("--apiserver-flag", action="append", default=[], metavar="--FLAG=VALUE")
    parser.add_argument("--controller-manager-flag", action="append", default=[], metavar="--FLAG=VALUE")
    parser.add_argument("--feature-gate", action="append", default=[], metavar="NAME=true|false")


if __name__ == "__main__":
    sys.exit(main())

"""An embedded Kubernetes cluster for tests, benchmarks and the demo: real components, no container engine.

`python -m tests.cluster --help` tells what can be done from a shell; `Cluster` is the same for Python. Everything here
uses the standard library alone, since it also prepares the machine before any package is installed.
"""

from tests.cluster.cluster import Cluster
from tests.cluster.errors import ClusterError
from tests.cluster.image_store import Image
from tests.cluster.options import Options

__all__ = ["Cluster", "ClusterError", "Image", "Options"]

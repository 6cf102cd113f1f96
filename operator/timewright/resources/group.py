"""The API group of the custom resources, and its version. Free of pydantic, for paths on which starting up matters."""

GROUP = "timewright.dev"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"

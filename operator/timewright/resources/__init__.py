"""The custom resources as typed models: what a manifest may say and what a status tells.

Pure: no clock, no I/O. `crds/*.yaml` are generated from these models (`timewright.resources.crd`), so a field, its
default, its meaning and its limits are written once.
"""

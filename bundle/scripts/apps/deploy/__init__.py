"""OsteoXR as an application of MONAI Deploy, and its package (MAP).

It runs in an environment of its own, which `make map` sets up; the rest of the bundle does not import it.
"""

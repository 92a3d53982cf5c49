"""boto3 before 1.28 does not know AWS_ENDPOINT_URL. With this directory on PYTHONPATH it does.

As newer releases do: AWS_ENDPOINT_URL_<SERVICE> comes before AWS_ENDPOINT_URL, an endpoint_url that the program gives
before both, and AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true passes over both. A program that does not import boto3 pays
one comparison for each module that it imports; a boto3 that knows the variables itself is left as it is.
"""

import functools
import importlib.machinery
import importlib.util
import os
import sys

# client(self, service_name, region_name, api_version, use_ssl, verify, endpoint_url, ...)
_ENDPOINT_URL_INDEX = 4


def _configured_endpoint(session, service_name):
    if os.environ.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return None
    try:
        service_id = session._session.get_service_model(service_name).service_id
    except Exception:  # an unknown service: boto3 says so in its own words
        return None
    variable = "AWS_ENDPOINT_URL_" + service_id.replace(" ", "_").replace("-", "_").upper()
    return os.environ.get(variable) or os.environ.get("AWS_ENDPOINT_URL") or None


def _teach(session_class):
    client = session_class.client

    @functools.wraps(client)
    def with_endpoint(self, service_name, *args, **kwargs):
        if len(args) <= _ENDPOINT_URL_INDEX and kwargs.get("endpoint_url") is None:
            kwargs["endpoint_url"] = _configured_endpoint(self, service_name)
        return client(self, service_name, *args, **kwargs)

    # Session.resource makes its client with this one.
    session_class.client = with_endpoint


def _knows_endpoints():
    import botocore.configprovider

    return hasattr(botocore.configprovider, "ConfiguredEndpointProvider")


class _Boto3Finder:
    """Waits for boto3.session, and is gone once it is found."""

    def find_spec(self, name, path=None, target=None):
        if name != "boto3.session":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_and_teach(module):
            execute(module)
            if not _knows_endpoints():
                _teach(module.Session)

        spec.loader.exec_module = execute_and_teach
        return spec


def _run_next_sitecustomize():
    """Python runs the first sitecustomize that it finds, which is this one; the system's own is to run as well."""
    here = os.path.dirname(os.path.realpath(__file__))
    others = [entry for entry in sys.path if os.path.realpath(entry or os.curdir) != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


sys.meta_path.insert(0, _Boto3Finder())
_run_next_sitecustomize()

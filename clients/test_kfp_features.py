"""Every feature of the SDK, in pipelines that the SDK compiles."""

import ast
import importlib
import inspect
import pathlib
import pkgutil

import kfp_features
import pytest
from kfp import dsl, kubernetes
from kfp_features.observed_run import NAMESPACE, core
from kubernetes.utils import create_from_dict

MODULES = [importlib.import_module(f"kfp_features.{module.name}") for module in pkgutil.iter_modules(kfp_features.__path__)]
FEATURES = [
    pytest.param(make, id=f"{module.__name__.rsplit('.', 1)[1]}-{name}")
    for module in MODULES
    for name, make in vars(module).items()
    if getattr(make, "is_feature", False)
]


@pytest.mark.parametrize("make", FEATURES)
def test_feature(make, client):
    feature = make()
    api = core().api_client
    created = [create_from_dict(api, one, namespace=NAMESPACE) for one in feature.objects]
    try:
        feature.run(client)
    finally:
        for (one,) in created:
            kind = type(one).__name__.removeprefix("V1")
            delete = getattr(core(), f"delete_namespaced_{''.join('_' + c.lower() if c.isupper() else c for c in kind).lstrip('_')}")
            delete(one.metadata.name, one.metadata.namespace)

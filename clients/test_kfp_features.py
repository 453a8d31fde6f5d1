"""Every feature of the SDK, in pipelines that the SDK compiles."""

import importlib
import pkgutil

import kfp_features
import kubernetes
import pytest
from kfp_features.observed_run import NAMESPACE, core
from kubernetes.utils import create_from_dict

MODULES = [importlib.import_module(f"kfp_features.{module.name}") for module in pkgutil.iter_modules(kfp_features.__path__)]
FEATURES = [
    pytest.param(make, id=f"{module.__name__.rsplit('.', 1)[1]}-{name}")
    for module in MODULES
    for name, make in vars(module).items()
    if getattr(make, "is_feature", False)
]


@pytest.fixture(scope="session")
def namespace() -> str:
    """Where pods of runs are; the first run makes it, if nobody has."""
    try:
        core().create_namespace({"metadata": {"name": NAMESPACE}})
    except kubernetes.client.ApiException as problem:
        assert problem.status == 409
    return NAMESPACE


@pytest.mark.parametrize("make", FEATURES)
def test_feature(make, client, namespace):
    feature = make()
    delete = {
        "V1Secret": core().delete_namespaced_secret,
        "V1ConfigMap": core().delete_namespaced_config_map,
        "V1PersistentVolumeClaim": core().delete_namespaced_persistent_volume_claim,
    }
    created = [one for thing in feature.objects for one in create_from_dict(core().api_client, thing, namespace=namespace)]
    try:
        feature.run(client)
    finally:
        for one in created:
            delete[type(one).__name__](one.metadata.name, namespace)

"""Every feature of the SDK, in pipelines that the SDK compiles."""

import ast
import importlib
import inspect
import pkgutil

import kfp_features
import kubernetes
import pytest
from kfp import dsl
from kfp import kubernetes as kfp_kubernetes
from kfp_features.observed_run import NAMESPACE, core
from kubernetes.utils import create_from_dict

NAMES = [module.name for module in pkgutil.iter_modules(kfp_features.__path__)]
#: What takes longest comes first.
NAMES.sort(key=lambda name: name != "python_components")
MODULES = [importlib.import_module(f"kfp_features.{name}") for name in NAMES]
FEATURES = [
    pytest.param(make, id=f"{module.__name__.rsplit('.', 1)[1]}-{name}")
    for module in MODULES
    for name, make in vars(module).items()
    if getattr(make, "is_feature", False)
]


#: Of the SDK's names, those that no pipeline can show, and why.
UNSHOWN = {
    "PipelineTask": "the class of what components return when they are called",
    "channel_inputs": "the compiler asks for it",
    "dependent_tasks": "the compiler asks for it",
    "inputs": "the compiler asks for it",
    "platform_spec": "the compiler asks for it",
    "register_pipeline_channels": "set_container_image calls it",
}


def test_every_name_of_the_sdk_is_shown():
    tasks = {name for name in dir(dsl.PipelineTask) if not name.startswith("_")}
    names = tasks | set(dsl.__all__) | set(kfp_kubernetes.__all__)
    trees = [ast.parse(inspect.getsource(module)) for module in MODULES]
    used = {node.attr for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert names - used - UNSHOWN.keys() == set(), "names of the SDK that no feature shows"
    assert UNSHOWN.keys() & used == set() and UNSHOWN.keys() <= names, "these are shown, or are no more"


@pytest.fixture(scope="session")
def namespace() -> str:
    """Where pods of runs are; the first run makes it, if nobody has."""
    try:
        core().create_namespace({"metadata": {"name": NAMESPACE}})
    except kubernetes.client.ApiException as problem:
        assert problem.status == 409
    return NAMESPACE


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
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

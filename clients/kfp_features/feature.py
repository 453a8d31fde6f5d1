"""What a pipeline is, and what must come of it."""

import pathlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import kfp
import yaml
from kfp import compiler

from kfp_features.observed_run import ObservedRun, finished


@dataclass(frozen=True, kw_only=True)
class Feature:
    """A pipeline, and what must come of it."""

    pipeline: Any
    arguments: dict[str, Any] = field(default_factory=dict)
    state: str = "SUCCEEDED"
    #: What the run's error must say.
    error: str = ""
    #: What the log of each of these tasks must say; a task is named by its name, or by the end of its path.
    logs: dict[str, str] = field(default_factory=dict)
    #: The values of output parameters, as `task.output`.
    outputs: dict[str, Any] = field(default_factory=dict)
    #: The states of tasks.
    states: dict[str, str] = field(default_factory=dict)
    check: Callable[[ObservedRun], object] | None = None
    #: What happens while the run goes on.
    meanwhile: Callable[[ObservedRun], object] | None = None
    #: Kubernetes objects that are there first.
    objects: tuple[dict, ...] = ()
    #: Whether tasks may be answered from the cache.
    caching: bool = False
    #: Changes the compiled pipeline and its Kubernetes settings where the SDK has no function for it.
    edit: Callable[[dict, dict], None] | None = None
    pipeline_root: str | None = None
    timeout: float = 120

    def submit(self, client: kfp.Client) -> ObservedRun:
        with tempfile.TemporaryDirectory() as directory:
            package = pathlib.Path(directory, "pipeline.yaml")
            compiler.Compiler().compile(self.pipeline, str(package))
            spec, *rest = yaml.safe_load_all(package.read_text())
            platform = rest[0] if rest else {"platforms": {"kubernetes": {"deploymentSpec": {"executors": {}}}}}
            if not self.caching:
                # The SDK's own `enable_caching=False` leaves out what is nested.
                for component in [spec["root"], *spec["components"].values()]:
                    for task in component.get("dag", {}).get("tasks", {}).values():
                        task["cachingOptions"] = {}
            if self.edit is not None:
                self.edit(spec, platform["platforms"]["kubernetes"])
            package.write_text(yaml.safe_dump_all([spec, platform]))
            run = client.create_run_from_pipeline_package(str(package), self.arguments, pipeline_root=self.pipeline_root)
        return ObservedRun(client, run.run_id)

    def run(self, client: kfp.Client) -> ObservedRun:
        """Runs it, and checks what has come of it."""
        run = self.submit(client)
        if self.meanwhile is not None:
            self.meanwhile(run)
        finished(run, self.timeout)
        assert run.state == self.state, f"{run.state}, not {self.state}: {run.error}\n{run.told()}"
        assert self.error in run.error
        for name, state in self.states.items():
            assert run.task(name)["state"] == state, run.told()
        for name, value in self.outputs.items():
            task, output = name.rsplit(".", 1)
            assert run.output(task, output) == value
        for name, text in self.logs.items():
            assert text in run.log(name), run.log(name)
        if self.check is not None:
            self.check(run)
        return run


def feature(make: Callable[[], Feature]) -> Callable[[], Feature]:
    """Marks a function that makes a feature; the feature's name is the function's."""
    make.is_feature = True
    return make

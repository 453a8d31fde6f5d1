"""Components that run a program which does nothing, in kfp.local: `kfp_local.py chain|fan STEPS`."""

import sys
import time

from kfp import dsl, local


@dsl.component
def step(index: int):
    import subprocess

    subprocess.run(["true"], check=True)


def main(shape: str, steps: int) -> None:
    @dsl.pipeline
    def chain():
        last = None
        for index in range(steps):
            task = step(index=index)
            if last is not None:
                task.after(last)
            last = task

    @dsl.pipeline
    def fan():
        with dsl.ParallelFor(list(range(steps))) as index:
            step(index=index)

    local.init(runner=local.SubprocessRunner(use_venv=False), raise_on_error=True)
    (chain if shape == "chain" else fan)()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))

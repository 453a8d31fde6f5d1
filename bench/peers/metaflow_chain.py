"""A chain of steps that run a program which does nothing."""

import subprocess

from metaflow import FlowSpec, step


class Chain(FlowSpec):
    @step
    def start(self):
        subprocess.run(["true"], check=True)
        self.next(self.second)

    @step
    def second(self):
        subprocess.run(["true"], check=True)
        self.next(self.third)

    @step
    def third(self):
        subprocess.run(["true"], check=True)
        self.next(self.fourth)

    @step
    def fourth(self):
        subprocess.run(["true"], check=True)
        self.next(self.end)

    @step
    def end(self):
        subprocess.run(["true"], check=True)


if __name__ == "__main__":
    Chain()

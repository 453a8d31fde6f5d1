"""Steps side by side that run a program which does nothing."""

import os
import subprocess

from metaflow import FlowSpec, step


class Fan(FlowSpec):
    @step
    def start(self):
        self.items = list(range(int(os.environ["STEPS"])))
        self.next(self.each, foreach="items")

    @step
    def each(self):
        subprocess.run(["true"], check=True)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


if __name__ == "__main__":
    Fan()

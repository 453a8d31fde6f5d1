"""Tasks that run a program which does nothing: one after the other, or side by side."""

import subprocess
from pathlib import Path

import luigi


class Step(luigi.Task):
    index = luigi.IntParameter()
    chained = luigi.BoolParameter()

    def requires(self):
        return [Step(index=self.index - 1, chained=True)] if self.chained and self.index > 0 else []

    def output(self):
        return luigi.LocalTarget(f"out/{self.index}")

    def run(self):
        subprocess.run(["true"], check=True)
        self.output().makedirs()
        Path(self.output().path).touch()


class Chain(luigi.WrapperTask):
    steps = luigi.IntParameter()

    def requires(self):
        return [Step(index=self.steps - 1, chained=True)]


class Fan(luigi.WrapperTask):
    steps = luigi.IntParameter()

    def requires(self):
        return [Step(index=index, chained=False) for index in range(self.steps)]

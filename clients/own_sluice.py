"""A Sluice of a test's own, which it may stop and start again."""

import json
import os
import pathlib
import subprocess

SLUICE = pathlib.Path(__file__).parent.parent / "packages/cli/bin/sluice.js"


class OwnSluice:
    def __init__(self, directory: pathlib.Path):
        self.directory = directory
        self.kubeconfig = str(directory / "kubeconfig")
        self.api_port = 0

    def command(self, *arguments: str) -> None:
        command = [os.environ.get("NODE", "node"), str(SLUICE), *arguments, "--data-dir", str(self.directory)]
        result = subprocess.run(command, capture_output=True, text=True, timeout=120)
        assert result.returncode == 0, result.stdout + result.stderr

    def up(self) -> None:
        """Starts it, and again at the same address."""
        self.command("up", "--detach", "--port", "0", "--api-port", str(self.api_port))
        server = json.loads((self.directory / "running.json").read_text())["apiUrl"]
        self.api_port = int(server.rsplit(":", 1)[1])

    def url(self) -> str:
        return json.loads((self.directory / "running.json").read_text())["url"]

    def down(self) -> None:
        self.command("down")

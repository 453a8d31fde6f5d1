"""Upstream's own test of its Python client, as it is, against a Sluice of this script's own.

    python clients/upstream_client.py CHECKOUT [pytest arguments]

CHECKOUT is a checkout of kubeflow/pipelines; without, the environment variable KFP_TEST_DATA says where one is.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

from own_sluice import OwnSluice

TEST = "sdk/python/test/client/client_test.py"


def main(checkout: str | None, arguments: list[str]) -> int:
    if checkout is None or not (pathlib.Path(checkout) / TEST).is_file():
        sys.exit("error: name a checkout of kubeflow/pipelines\n  fix: python clients/upstream_client.py CHECKOUT")
    with tempfile.TemporaryDirectory(prefix="sluice-upstream-") as directory:
        sluice = OwnSluice(pathlib.Path(directory))
        sluice.up()
        try:
            command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "ignore::FutureWarning", "-q", TEST, *arguments]
            # The test asks these variables where the API is, and imports what lies in the checkout's root.
            where = {"apiUrl": sluice.url(), "PYTHONPATH": ".", "PYTHONDONTWRITEBYTECODE": "1"}
            return subprocess.run(command, cwd=checkout, env={**os.environ, **where}).returncode
        finally:
            sluice.down()


if __name__ == "__main__":
    given = sys.argv[1:]
    chosen = given.pop(0) if given and not given[0].startswith("-") else os.environ.get("KFP_TEST_DATA")
    sys.exit(main(chosen, given))

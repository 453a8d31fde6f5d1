import { IDLE_OPTIONS } from "./pip-requests.ts";

/** The file in an environment that says it is complete, and which requests it satisfies: one a line, its words apart by U+001F. */
export const MARKER = "sluice-requests";

/** Names the directory, private to the container, that takes what is installed while it runs. */
export const OVERLAY_VARIABLE = "SLUICE_PYTHON_OVERLAY";

/**
 * Replaces `pip/__main__.py` of an environment. What changes packages, beyond what the environment was built for, goes to a
 * virtual environment on top of this one, for this one is shared and cannot be written.
 */
const PIP_MAIN = `
import os, sys
from sluice_environment import answer

if sys.path[0] in ("", os.getcwd()):
    sys.path.pop(0)


def overlay(path, arguments):
    import venv

    python = os.path.join(path, "bin", "python3")
    if not os.path.exists(python):
        venv.EnvBuilder(symlinks=True).create(path)
        version = "python%d.%d" % sys.version_info[:2]
        packages = os.path.join("lib", version, "site-packages")
        with open(os.path.join(path, packages, "sluice-below.pth"), "w") as file:
            file.write("import site; site.addsitedir(%r)\\n" % os.path.join(sys.prefix, packages))
        for name in ("pip", "pip3"):
            script = os.path.join(path, "bin", name)
            with open(script, "w") as file:
                file.write('#!/bin/sh\\nexec "%s" -m pip "$@"\\n' % python)
            os.chmod(script, 0o755)
    # A virtual environment has no user's site: what would go there goes where everything else goes.
    os.execv(python, [python, "-m", "pip", *(word for word in arguments if word != "--user")])


if __name__ == "__main__":
    if os.path.exists(os.path.join(sys.prefix, ${JSON.stringify(MARKER)})):
        if sys.argv[1:2] == ["install"]:
            answer(sys.argv[2:])
        path = os.environ.get(${JSON.stringify(OVERLAY_VARIABLE)})
        if path and sys.argv[1:2] in (["install"], ["uninstall"]):
            overlay(path, sys.argv[1:])
    from pip._internal.cli.main import main

    sys.exit(main())
`;

/**
 * Runs whenever the environment's Python starts. It answers a request that the environment was built for before Python has
 * loaded anything else, and puts the container's own packages before the shared ones. A virtual environment that a container
 * makes, and that is to see the system's packages, sees the environment's. Where containers are plain processes,
 * and no artifact volume lies at `/minio` and its like, it shows kfp where it is.
 */
const START = `
import os, sys

IDLE = ${JSON.stringify(IDLE_OPTIONS)}


def answer(arguments):
    marker = os.path.join(sys.prefix, ${JSON.stringify(MARKER)})
    if not os.path.exists(marker) or os.path.isdir(os.environ.get(${JSON.stringify(OVERLAY_VARIABLE)}, "")):
        return
    with open(marker) as file:
        requests = file.read().split("\\n")
    if "\\x1f".join(word for word in arguments if word not in IDLE) in requests:
        if not any(word in ("-q", "-qq", "-qqq", "--quiet") for word in arguments):
            print("Requirement already satisfied: this environment was built for it", flush=True)
        os._exit(0)


def use_overlay(path):
    packages = os.path.join(path, "lib", "python%d.%d" % sys.version_info[:2], "site-packages")
    shared = next((index for index, entry in enumerate(sys.path) if entry.startswith(sys.prefix)), len(sys.path))
    if os.path.isdir(packages) and packages not in sys.path:
        import site

        length = len(sys.path)
        site.addsitedir(packages)
        added = sys.path[length:]
        del sys.path[length:]
        sys.path[shared:shared] = added


def place_artifacts(root):
    from importlib.machinery import PathFinder

    class Finder:
        @staticmethod
        def find_spec(name, path=None, target=None):
            if name != "kfp.dsl.types.artifact_types":
                return None
            spec = PathFinder.find_spec(name, path, target)
            execute = spec.loader.exec_module

            def exec_module(module):
                execute(module)
                for scheme in ("GCS", "MINIO", "S3", "OCI"):
                    setattr(module, "_%s_LOCAL_MOUNT_PREFIX" % scheme, "%s/%s/" % (root, scheme.lower()))

            spec.loader.exec_module = exec_module
            return spec

    sys.meta_path.insert(0, Finder)


def show_below(packages):
    import venv

    create = venv.EnvBuilder.create_configuration

    def create_configuration(self, context):
        create(self, context)
        if self.system_site_packages:
            own = os.path.join(context.env_dir, "lib", "python%d.%d" % sys.version_info[:2], "site-packages")
            with open(os.path.join(own, "sluice-below.pth"), "w") as file:
                file.write("import site; site.addsitedir(%r)\\n" % packages)

    venv.EnvBuilder.create_configuration = create_configuration


if getattr(sys, "orig_argv", [])[1:3] == ["-m", "venv"]:
    show_below(os.path.dirname(os.path.abspath(__file__)))
if getattr(sys, "orig_argv", [])[1:4] == ["-m", "pip", "install"]:
    answer(sys.orig_argv[4:])
if os.environ.get(${JSON.stringify(OVERLAY_VARIABLE)}):
    use_overlay(os.environ[${JSON.stringify(OVERLAY_VARIABLE)}])
if os.environ.get("SLUICE_ARTIFACT_ROOT", "/kfp/artifacts") != "/kfp/artifacts":
    place_artifacts(os.environ["SLUICE_ARTIFACT_ROOT"])
`;

/**
 * Builds an environment: `python -c BUILDER <directory> <requests as JSON>`. The kernel's lock on a file lets one process
 * build and others wait for it; what a killed one left is built anew.
 */
export const BUILDER: string = `
import fcntl, glob, importlib.util, json, os, shutil, subprocess, sys, venv, zipfile

directory, requests = sys.argv[1], json.loads(sys.argv[2])
environment = os.path.join(directory, "environment")
marker = os.path.join(environment, ${JSON.stringify(MARKER)})
python = os.path.join(environment, "bin", "python3")
packages = os.path.join(environment, "lib", "python%d.%d" % sys.version_info[:2], "site-packages")


def write(path, text, mode=0o644):
    with open(path, "w") as file:
        file.write(text)
    os.chmod(path, mode)


def build():
    shutil.rmtree(environment, ignore_errors=True)
    os.makedirs(os.environ["TMPDIR"], exist_ok=True)
    venv.EnvBuilder(symlinks=True).create(environment)
    bundled = os.path.join(os.path.dirname(importlib.util.find_spec("ensurepip").origin), "_bundled", "*.whl")
    for wheel in glob.glob(bundled) or glob.glob("/usr/share/python-wheels/*.whl"):
        zipfile.ZipFile(wheel).extractall(packages)
    for request in requests:
        command = [python, "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--no-warn-script-location"]
        code = subprocess.run(command + request).returncode
        if code != 0:
            shutil.rmtree(environment, ignore_errors=True)
            sys.exit(code)
    write(os.path.join(packages, "sluice_environment.py"), ${JSON.stringify(START)})
    write(os.path.join(packages, "sluice.pth"), "import sluice_environment\\n")
    write(os.path.join(packages, "pip", "__main__.py"), ${JSON.stringify(PIP_MAIN)})
    for name in ("pip", "pip3", "pip%d.%d" % sys.version_info[:2]):
        write(os.path.join(environment, "bin", name), '#!/bin/sh\\nexec "%s" -m pip "$@"\\n' % python, 0o755)
    # What is imported once here need not be compiled in every container.
    subprocess.run([python, "-c", "import pip, sluice_environment, venv, json, pip._internal.cli.main"], check=True)
    write(marker + ".new", "\\n".join("\\x1f".join(request) for request in requests))
    os.replace(marker + ".new", marker)


with open(os.path.join(directory, "lock"), "w") as lock:
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        if not os.path.exists(marker):
            build()
    finally:
        shutil.rmtree(os.environ["TMPDIR"], ignore_errors=True)
`;

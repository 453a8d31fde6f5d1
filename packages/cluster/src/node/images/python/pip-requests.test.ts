import { expect, test } from "vitest";
import { pipRequests } from "./pip-requests.ts";

const requests = (script: string): unknown => pipRequests(["sh", "-c", script, "sh", "-ec", "pip install never"]);
const guard =
  '\nif ! [ -x "$(command -v pip)" ]; then\n    python3 -m ensurepip || python3 -m ensurepip --user || apt-get install python3-pip\nfi\n\n';

test("a lightweight component as kfp compiles it", () => {
  const script = `${guard}PIP_DISABLE_PIP_VERSION_CHECK=1 python3 -m pip install --quiet --no-warn-script-location 'kfp==2.14.3' '--no-deps' 'typing-extensions>=3.7.4,<5; python_version<"3.9"' && "$0" "$@"\n`;
  expect(requests(script)).toEqual([["kfp==2.14.3", "--no-deps", 'typing-extensions>=3.7.4,<5; python_version<"3.9"']]);
});

test("packages and index URLs of its own", () => {
  const script =
    `${guard}PIP_DISABLE_PIP_VERSION_CHECK=1 python3 -m pip install --quiet --no-warn-script-location --index-url https://pypi.example/simple ` +
    `--trusted-host https://pypi.example/simple 'pandas>=2,<3' 'scikit-learn[alldeps]==1.5'  &&  python3 -m pip install --quiet 'kfp==2.14.3' '--no-deps' && "$0" "$@"\n`;
  expect(requests(script)).toEqual([
    ["--index-url", "https://pypi.example/simple", "--trusted-host", "https://pypi.example/simple", "pandas>=2,<3", "scikit-learn[alldeps]==1.5"],
    ["kfp==2.14.3", "--no-deps"],
  ]);
});

test.each([
  ["pip install a==1", [["a==1"]]],
  ["/usr/bin/pip3.11 install -U a b", [["-U", "a", "b"]]],
  ["python -m pip install a; python3.12 -m pip install b", [["a"], ["b"]]],
  ["pip install -r requirements.txt", []],
  ["pip install .", []],
  ["pip install ./a a/b", []],
  ["pip install git+https://example.com/a", []],
  ["pip install 'a @ https://example.com/a.whl'", []],
  ["pip install a.tar.gz/", []],
  ["pip install $PACKAGES", []],
  ["pip install --target /x a", []],
  ["pip install --user a", [["a"]]],
  ["pip install -q", []],
  ["pip download a", []],
  ["true || pip install a", []],
  ["if true; then pip install a; fi", []],
  ["if pip install a; then pip install b; fi", [["a"]]],
  ["python3 -m venv x\n. x/bin/activate\npip install a", []],
  ["pip install a\ncat <<EOF\npip install b\nEOF", [["a"]]],
])("%j", (script, expected) => {
  expect(requests(script)).toEqual(expected);
});

test("a training function as the Kubeflow SDK sends it", () => {
  const script = `
if ! [ -x "$(command -v pip)" ]; then
    python -m ensurepip || python -m ensurepip --user || apt-get install python-pip
fi


PACKAGES=('transformers[torch]' numpy)
PIP_OPTS=(--index-url https://pypi.org/simple)
LOG_FILE="pip_install.log"
rm -f "$LOG_FILE"

if PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_BREAK_SYSTEM_PACKAGES=1 python -m pip install --quiet \\
    --no-warn-script-location "\${PIP_OPTS[@]}" --user "\${PACKAGES[@]}" >"$LOG_FILE" 2>&1; then
    echo "Successfully installed Python packages (user): \${PACKAGES[*]}"
elif PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_BREAK_SYSTEM_PACKAGES=1 python -m pip install --quiet \\
    --no-warn-script-location "\${PIP_OPTS[@]}" "\${PACKAGES[@]}" >>"$LOG_FILE" 2>&1; then
    echo "Successfully installed Python packages (system-wide): \${PACKAGES[*]}"
else
    exit 1
fi

read -r -d '' SCRIPT << EOM
pip install never
EOM
printf "%s" "$SCRIPT" > "train.py"
torchrun "train.py"`;
  expect(requests(script)).toEqual([["--index-url", "https://pypi.org/simple", "transformers[torch]", "numpy"]]);
});

test("only the script of a shell counts", () => {
  expect(pipRequests(["bash", "-exc", "pip install a"])).toEqual([["a"]]);
  expect(pipRequests(["/bin/sh", "-e", "-c", "pip install a"])).toEqual([["a"]]);
  expect(pipRequests(["pip", "install", "a"])).toEqual([]);
  expect(pipRequests(["sh", "pip install a"])).toEqual([]);
  expect(pipRequests(["sh", "-c"])).toEqual([]);
  expect(pipRequests([])).toEqual([]);
});

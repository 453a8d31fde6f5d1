/** The command line that the Python SDK gives a lightweight component, with the packages it asks for. */
export function component(source: string, name: string, input: object, packages: readonly string[] = []): readonly string[] {
  return ["sh", "-c", installOf(packages), "sh", "-ec", RUN, source, "--executor_input", JSON.stringify(input), "--function_to_execute", name];
}

const RUN =
  'program_path=$(mktemp -d)\n\nprintf "%s" "$0" > "$program_path/ephemeral_component.py"\n\n' +
  '_KFP_RUNTIME=true python3 -m kfp.dsl.executor_main --component_module_path "$program_path/ephemeral_component.py" "$@"\n';

function installOf(packages: readonly string[]): string {
  const pip = "python3 -m pip install --quiet --no-warn-script-location";
  const own = packages.length === 0 ? "" : ` && ${pip} ${packages.map((name) => `'${name}'`).join(" ")}`;
  return (
    '\nif ! [ -x "$(command -v pip)" ]; then\n    python3 -m ensurepip || python3 -m ensurepip --user || apt-get install python3-pip\nfi\n\n' +
    `PIP_DISABLE_PIP_VERSION_CHECK=1 ${pip} 'kfp==2.14.3' '--no-deps' ` +
    `'typing-extensions>=3.7.4,<5; python_version<"3.9"'${own} && "$0" "$@"\n`
  );
}

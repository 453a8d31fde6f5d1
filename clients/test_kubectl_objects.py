"""kubectl reads and changes objects as on any cluster."""

import json
import stat

import pytest
import yaml

from conftest import eventually

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c, labels: {team: blue}}\ndata: {a: '1', b: '2'}\n"
SIDES = pytest.mark.parametrize("side", ["", "--server-side"], ids=["client-side", "server-side"])


@SIDES
def test_apply(kubectl, side):
    assert kubectl(f"apply {side} -f -", CONFIG) == f"configmap/c {'serverside-applied' if side else 'created'}\n"
    first = kubectl.get("configmap c")
    kubectl(f"apply {side} -f -", CONFIG)
    assert kubectl.get("configmap c") == first
    kubectl(f"apply {side} -f -", CONFIG.replace(", b: '2'", ""))
    assert kubectl.get("configmap c")["data"] == {"a": "1"}


def test_apply_says_what_it_did(kubectl):
    assert kubectl("apply -f -", CONFIG) == "configmap/c created\n"
    assert kubectl("apply -f -", CONFIG) == "configmap/c unchanged\n"
    assert kubectl("apply -f -", CONFIG.replace("'1'", "'9'")) == "configmap/c configured\n"
    assert "data:" in kubectl("apply view-last-applied configmap c")


def test_server_side_conflicts_name_the_other_manager(kubectl):
    kubectl("apply --server-side --field-manager=first -f -", CONFIG)
    said = kubectl.fails("apply --server-side --field-manager=second -f -", CONFIG.replace("'1'", "'9'"))
    assert 'Apply failed with 1 conflict: conflict with "first": .data.a' in said
    assert "--force-conflicts" in said
    kubectl("apply --server-side --field-manager=second --force-conflicts -f -", CONFIG.replace("'1'", "'9'"))
    found = kubectl.get("configmap c --show-managed-fields")
    assert found["data"] == {"a": "9", "b": "2"}
    owned = {entry["manager"]: entry["fieldsV1"]["f:data"] for entry in found["metadata"]["managedFields"]}
    assert "f:a" in owned["second"] and "f:a" not in owned["first"] and "f:b" in owned["first"]


def test_apply_prunes_what_is_gone(kubectl):
    other = CONFIG.replace("name: c,", "name: d,")
    kubectl("apply -f -", f"{CONFIG}---\n{other}")
    out = kubectl("apply -f - --prune -l team=blue --prune-allowlist=core/v1/ConfigMap", CONFIG)
    assert "configmap/d pruned" in out
    assert kubectl.names("configmaps -l team=blue") == ["configmap/c"]


def test_create(kubectl):
    assert kubectl("create configmap settings --from-literal=a=1") == "configmap/settings created\n"
    again = kubectl.fails("create configmap settings --from-literal=a=1")
    assert again == 'error: failed to create configmap: configmaps "settings" already exists\n'
    assert kubectl("create secret generic s --from-literal=key=value") == "secret/s created\n"
    assert kubectl.get("secret s")["data"] == {"key": "dmFsdWU="}
    assert "3 bytes" not in kubectl("describe secret s") and "5 bytes" in kubectl("describe secret s")
    created = yaml.safe_load(kubectl("create configmap rendered --from-literal=a=1 --dry-run=client -o yaml"))
    assert created["data"] == {"a": "1"}
    generated = kubectl("create -f -", "apiVersion: v1\nkind: ConfigMap\nmetadata: {generateName: some-}\n")
    assert generated.startswith("configmap/some-")


def test_dry_run_and_diff(kubectl):
    assert kubectl("apply --dry-run=server -f -", CONFIG) == "configmap/c created (server dry run)\n"
    assert kubectl.fails("get configmap c") == 'Error from server (NotFound): configmaps "c" not found\n'
    assert "+  a: \"1\"" in kubectl.fails("diff -f -", CONFIG)
    kubectl("apply -f -", CONFIG)
    assert kubectl("diff -f -", CONFIG) == ""
    changed = kubectl.fails("diff -f -", CONFIG.replace("'1'", "'9'"))
    assert '-  a: "1"' in changed and '+  a: "9"' in changed
    assert '+  a: "9"' in kubectl.fails("diff --server-side --force-conflicts -f -", CONFIG.replace("'1'", "'9'"))


def test_replace(kubectl):
    kubectl("create -f -", CONFIG)
    manifest = yaml.safe_load(kubectl("get configmap c -o yaml"))
    manifest["data"]["b"] = "changed"
    assert kubectl("replace -f -", yaml.safe_dump(manifest)) == "configmap/c replaced\n"
    stale = kubectl.fails("replace -f -", yaml.safe_dump(manifest))
    assert "Error from server (Conflict)" in stale and "the object has been modified" in stale
    before = kubectl.get("configmap c")["metadata"]["uid"]
    assert "configmap/c replaced" in kubectl("replace --force -f -", CONFIG)
    assert kubectl.get("configmap c")["metadata"]["uid"] != before


def test_patch(kubectl):
    kubectl("create deployment web --image=busybox --replicas=0")
    kubectl("""patch deployment web -p '{"spec":{"template":{"spec":{"containers":[{"name":"busybox","env":[{"name":"A","value":"1"}]}]}}}}'""")
    kubectl("""patch deployment web -p '{"spec":{"template":{"spec":{"containers":[{"name":"busybox","env":[{"name":"B","value":"2"}]}]}}}}'""")
    container = kubectl.get("deployment web")["spec"]["template"]["spec"]["containers"][0]
    assert container["image"] == "busybox"
    assert sorted(variable["name"] for variable in container["env"]) == ["A", "B"]
    kubectl("""patch deployment web --type=merge -p '{"metadata":{"labels":{"app":null,"tier":"front"}}}'""")
    assert kubectl.get("deployment web")["metadata"]["labels"] == {"tier": "front"}
    kubectl("""patch deployment web --type=json -p '[{"op":"test","path":"/spec/replicas","value":0},{"op":"add","path":"/spec/paused","value":true}]'""")
    assert kubectl.get("deployment web")["spec"]["paused"] is True
    kubectl.fails("""patch deployment web --type=json -p '[{"op":"test","path":"/spec/replicas","value":5},{"op":"remove","path":"/spec/paused"}]'""")
    assert kubectl.get("deployment web")["spec"]["paused"] is True
    assert "(no change)" in kubectl("""patch deployment web --type=merge -p '{"spec":{"paused":true}}'""")
    patched = kubectl("""patch deployment web --subresource=scale --type=merge -p '{"spec":{"replicas":1}}'""")
    assert "scale.autoscaling/web patched" in patched
    status = kubectl("""patch deployment web --subresource=status --type=merge -p '{"status":{"collisionCount":3}}' -o jsonpath={.status.collisionCount}""")
    assert status == "3"


def test_edit(kubectl, tmp_path):
    kubectl("create -f -", CONFIG)
    editor = tmp_path / "editor"
    editor.write_text("#!/bin/sh\nsed -i 's/a: \"1\"/a: \"edited\"/' \"$1\"\n")
    editor.chmod(editor.stat().st_mode | stat.S_IXUSR)
    assert kubectl("edit configmap c", env={"KUBE_EDITOR": str(editor)}) == "configmap/c edited\n"
    assert kubectl.get("configmap c")["data"]["a"] == "edited"
    assert "Edit cancelled, no changes made." in kubectl.run("edit configmap c", env={"KUBE_EDITOR": "true"}).stderr


def test_label_and_annotate(kubectl):
    kubectl("create -f -", CONFIG)
    assert kubectl("label configmap c size=big") == "configmap/c labeled\n"
    assert "already has a value (blue), and --overwrite is false" in kubectl.fails("label configmap c team=red")
    kubectl("label configmap c team=red --overwrite")
    assert "unlabeled" in kubectl("label configmap c size-")
    assert kubectl("annotate configmap c note='hello there'") == "configmap/c annotated\n"
    found = kubectl.get("configmap c")["metadata"]
    assert found["labels"] == {"team": "red"} and found["annotations"] == {"note": "hello there"}
    assert kubectl.names("configmaps -l 'team in (red,green),size notin (big)'") == ["configmap/c"]
    assert kubectl("get configmaps -l team=blue") == ""
    assert "No resources found" in kubectl.run("get configmaps -l team=blue").stderr
    assert "a valid label must be" in kubectl.fails("label configmap c 'bad=not valid'")


def test_output_formats(kubectl):
    for name in ["b", "a"]:
        kubectl(f"create configmap {name} --from-literal=key={name}")
        kubectl(f"label configmap {name} mine=yes")
    table = kubectl("get configmaps -l mine --show-labels").splitlines()
    assert table[0].split() == ["NAME", "DATA", "AGE", "LABELS"]
    assert table[1].split()[:2] == ["a", "1"] and table[1].split()[3] == "mine=yes"
    assert kubectl("get configmaps -l mine -L mine --no-headers").splitlines()[0].split()[-1] == "yes"
    assert kubectl("get configmaps -l mine --sort-by='{.data.key}' -o jsonpath='{.items[*].metadata.name}'") == "a b"
    columns = kubectl("get configmaps -l mine -o custom-columns=N:.metadata.name,KEY:.data.key")
    assert [line.split() for line in columns.splitlines()] == [["N", "KEY"], ["a", "a"], ["b", "b"]]
    assert kubectl("get configmap a -o go-template='{{.data.key}}'") == "a"
    assert kubectl("get configmap a -o jsonpath='{.data.key}{\"\\n\"}'") == "a\n"
    assert kubectl("get configmap/a configmap/b -o name").split() == ["configmap/a", "configmap/b"]
    assert kubectl("get configmaps -l mine --chunk-size=1 -o name").split() == ["configmap/a", "configmap/b"]
    assert json.loads(kubectl(f"get --raw /api/v1/namespaces/{kubectl.namespace}/configmaps/a"))["data"] == {"key": "a"}
    assert kubectl.fails("get nonsense") == 'error: the server doesn\'t have a resource type "nonsense"\n'


def test_field_selectors(kubectl):
    kubectl("create secret generic plain --from-literal=a=b")
    assert kubectl.names("secrets --field-selector=type=Opaque") == ["secret/plain"]
    assert kubectl.names("secrets --field-selector=metadata.name!=plain") == []
    assert 'field label not supported' in kubectl.fails("get secrets --field-selector=data.a=b")


def test_watch(kubectl):
    with kubectl.running("get configmaps -w --output-watch-events -o custom-columns=E:.type,N:.object.metadata.name --field-selector=metadata.name=later") as watch:
        kubectl("create configmap later")
        kubectl("label configmap later a=b")
        kubectl("delete configmap later")
        lines = [watch.stdout.readline().split() for _ in range(4)]
    assert lines == [["E", "N"], ["ADDED", "later"], ["MODIFIED", "later"], ["DELETED", "later"]]


def test_wait(kubectl):
    with kubectl.running("wait --for=create configmap/later --timeout=30s") as wait:
        kubectl("create configmap later --from-literal=a=1")
        assert wait.communicate()[0] == "configmap/later condition met\n"
    with kubectl.running("wait --for=jsonpath='{.data.a}'=2 configmap/later --timeout=30s") as wait:
        kubectl("""patch configmap later -p '{"data":{"a":"2"}}'""")
        assert wait.communicate()[0] == "configmap/later condition met\n"
    with kubectl.running("wait --for=delete configmap/later --timeout=30s") as wait:
        kubectl("delete configmap later")
        wait.communicate()
        assert wait.returncode == 0
    kubectl("create configmap stays")
    assert "timed out waiting for the condition" in kubectl.fails("wait --for=delete configmap/stays --timeout=1s")


def test_delete(kubectl):
    for name in ["a", "b", "c"]:
        kubectl("create -f -", CONFIG.replace("name: c,", f"name: {name},"))
    assert kubectl("delete configmap a").startswith('configmap "a" deleted')
    assert kubectl.fails("delete configmap a") == 'Error from server (NotFound): configmaps "a" not found\n'
    assert kubectl("delete configmap a --ignore-not-found") == ""
    assert 'configmap "b" deleted' in kubectl("delete configmaps -l team=blue --field-selector=metadata.name=b")
    assert "(server dry run)" in kubectl("delete -f - --dry-run=server", CONFIG)
    assert 'configmap "c" deleted' in kubectl("delete -f -", CONFIG)
    kubectl("delete secrets,serviceaccounts --all")


def test_finalizers_hold_an_object(kubectl):
    kubectl("create -f -", CONFIG.replace("labels:", "finalizers: [example.com/hold], labels:"))
    kubectl("delete configmap c --wait=false")
    assert "deletionTimestamp" in kubectl.get("configmap c")["metadata"]
    kubectl("""patch configmap c --type=json -p '[{"op":"remove","path":"/metadata/finalizers"}]'""")
    assert "NotFound" in kubectl.fails("get configmap c")


def test_namespaces_take_their_content_along(cluster, unique):
    cluster(f"create namespace {unique}")
    cluster(f"create configmap c -n {unique}")
    described = cluster(f"describe namespace {unique}")
    assert f"kubernetes.io/metadata.name={unique}" in described and "Active" in described
    assert f'namespace "{unique}" deleted' in cluster(f"delete namespace {unique} --timeout=60s")
    assert "not found" in cluster.fails(f"get configmap c -n {unique}")
    assert 'namespaces "default" is forbidden: this namespace may not be deleted' in cluster.fails("delete namespace default")
    assert f'namespaces "{unique}" not found' in cluster.fails(f"create configmap c -n {unique}")


@SIDES
def test_strict_about_fields(kubectl, side):
    unknown = kubectl.fails(f"apply {side} -f -", CONFIG + "date: {}\n")
    assert 'unknown field "date"' in unknown or ".date: field not declared in schema" in unknown
    wrong = kubectl.fails(f"apply {side} -f -", CONFIG.replace("a: '1'", "a: [1]"))
    assert "data" in wrong
    assert "configmap/c" in kubectl("create --validate=ignore -f -", CONFIG + "date: {}\n")


def test_kustomize(kubectl, tmp_path):
    (tmp_path / "kustomization.yaml").write_text("namePrefix: my-\nresources: [c.yaml]\nconfigMapGenerator: [{name: made, literals: [x=1]}]\n")
    (tmp_path / "c.yaml").write_text(CONFIG)
    assert "name: my-c" in kubectl(f"kustomize {tmp_path}")
    kubectl(f"apply -k {tmp_path}")
    assert kubectl.get("configmap my-c")["data"]["a"] == "1"
    kubectl(f"delete -k {tmp_path}")
    eventually(lambda: kubectl.names("configmaps") == ["configmap/kube-root-ca.crt"])


CRD = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: PLURAL.water.example.com
spec:
  group: water.example.com
  scope: Namespaced
  names: {kind: KIND, plural: PLURAL, singular: SINGULAR, shortNames: [SHORT], categories: [water]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources:
      status: {}
      scale: {specReplicasPath: .spec.gates, statusReplicasPath: .status.gates}
    additionalPrinterColumns:
    - {name: Gates, type: integer, jsonPath: .spec.gates}
    - {name: River, type: string, jsonPath: .spec.river, priority: 1}
    selectableFields:
    - jsonPath: .spec.river
    schema:
      openAPIV3Schema:
        type: object
        description: A sluice in a river.
        properties:
          spec:
            type: object
            required: [gates]
            x-kubernetes-validations:
            - {rule: 'self.gates < 10 || self.river == "Rhine"', message: only the Rhine bears so many gates}
            - {rule: 'self.river == oldSelf.river', message: a sluice stays in its river}
            properties:
              gates: {type: integer, minimum: 1, description: How many gates it has.}
              river: {type: string, default: Rhine}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
"""


@SIDES
def test_custom_resources(cluster, kubectl, unique, side):
    kind = unique.replace("test-", "Sluice").capitalize()
    single = kind.lower()
    plural = f"{single}s"
    crd = CRD.replace("PLURAL", plural).replace("KIND", kind).replace("SINGULAR", single).replace("SHORT", single.replace("sluice", "sl"))
    upper = f"apiVersion: water.example.com/v1\nkind: {kind}\nmetadata: {{name: upper}}\nspec: {{gates: 3}}\n"
    cluster(f"apply {side} -f -", crd)
    try:
        cluster(f"wait --for=condition=established crd/{plural}.water.example.com --timeout=20s")
        kubectl(f"apply {side} -f -", upper)
        assert kubectl.get(f"{single} upper")["spec"] == {"gates": 3, "river": "Rhine"}
        short = single.replace("sluice", "sl")
        assert kubectl(f"get {short}").splitlines()[0].split() == ["NAME", "GATES"]
        assert kubectl(f"get {plural}.water.example.com -o wide").splitlines()[1].split() == ["upper", "3", "Rhine"]
        assert kubectl.names(f"{single} --field-selector=spec.river=Rhine") and not kubectl.names(f"{single} --field-selector=spec.river=Elbe")
        assert f"{single}.water.example.com/upper" in kubectl("get water -o name")
        assert "How many gates it has." in kubectl(f"explain {single}.spec.gates")
        assert f"{single}.water.example.com/upper scaled" in kubectl(f"scale {single}/upper --replicas=5")
        assert "spec.gates" in kubectl.fails(f"apply {side} -f -", upper.replace("gates: 3", "gates: 0"))
        assert "gaets" in kubectl.fails(f"apply {side} -f -", upper.replace("gates: 3", "gates: 3, gaets: 1"))
        refused = kubectl.fails("create -f -", upper.replace("gates: 3", "gates: 11, river: Elbe").replace("upper", "lower"))
        assert "only the Rhine bears so many gates" in refused
        moved = kubectl.fails(f"""patch {single} upper --type=merge -p '{{"spec":{{"river":"Elbe"}}}}'""")
        assert f'The {kind} "upper" is invalid: spec: Invalid value: ' in moved and "a sluice stays in its river" in moved
        assert "Name:         upper" in kubectl(f"describe {single} upper")
    finally:
        cluster(f"delete crd {plural}.water.example.com")
    eventually(lambda: plural not in cluster("api-resources --cached=false"))

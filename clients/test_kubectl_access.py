"""kubectl meets authentication, authorisation and admission as on any cluster."""

import json
import ssl
import urllib.error
import urllib.request

import pytest
import yaml


def test_can_i(kubectl, unique):
    me = f"system:serviceaccount:{unique}:bob"
    kubectl("create serviceaccount bob")
    kubectl("create role reader --verb=get,list,watch --resource=pods,pods/log,deployments.apps")
    assert kubectl(f"create rolebinding bob --role=reader --serviceaccount={unique}:bob") == "rolebinding.rbac.authorization.k8s.io/bob created\n"
    assert kubectl(f"auth can-i list pods --as={me}") == "yes\n"
    assert kubectl(f"auth can-i get pods --subresource=log --as={me}") == "yes\n"
    assert kubectl.fails(f"auth can-i create pods --as={me}").startswith("no")
    assert kubectl.fails(f"auth can-i list pods -n default --as={me}").startswith("no")
    assert kubectl("auth can-i '*' '*' --all-namespaces") == "yes\n"
    assert kubectl(f"auth can-i get /healthz --as={me}") == "yes\n"
    listed = kubectl(f"auth can-i --list --as={me}")
    assert any(line.split() == ["deployments.apps", "[]", "[]", "[get", "list", "watch]"] for line in listed.splitlines())
    described = kubectl("describe role reader")
    assert "pods/log          []                 []              [get list watch]" in described
    assert "reader" in kubectl("describe rolebinding bob") and "ServiceAccount  bob" in kubectl("describe rolebinding bob")
    assert kubectl("get rolebinding bob -o wide").splitlines()[1].split()[1] == "Role/reader"


def test_impersonation(kubectl):
    forbidden = kubectl.fails("get secrets --as=jane")
    assert forbidden == (
        'Error from server (Forbidden): secrets is forbidden: User "jane" cannot list resource "secrets" '
        f'in API group "" in the namespace "{kubectl.namespace}"\n'
    )
    kubectl("create rolebinding devs --clusterrole=view --group=devs")
    kubectl("get pods --as=jane --as-group=devs")
    assert "Forbidden" in kubectl.fails("delete serviceaccounts --all --as=jane --as-group=devs")
    who = kubectl("auth whoami --as=jane --as-group=devs")
    assert "Username    jane" in who and "[devs system:authenticated]" in who
    assert "without impersonating a user" in kubectl.fails("get pods --as-group=devs")


def test_tokens(kubectl, unique):
    kubectl("create serviceaccount bob")
    kubectl(f"create rolebinding bob --clusterrole=edit --serviceaccount={unique}:bob")
    token = kubectl("create token bob --duration=1h").strip()
    server = kubectl("config view --minify -o jsonpath='{.clusters[0].cluster.server}'")
    with_token = f"--kubeconfig=/dev/null --server={server} --insecure-skip-tls-verify --token={token}"
    who = json.loads(kubectl(f"{with_token} auth whoami -o json"))["status"]["userInfo"]
    assert who["username"] == f"system:serviceaccount:{unique}:bob"
    assert f"system:serviceaccounts:{unique}" in who["groups"]
    kubectl(f"{with_token} create configmap mine")
    assert "Forbidden" in kubectl.fails(f"{with_token} get nodes")
    assert "Unauthorized" in kubectl.fails(f"{with_token}nonsense get configmaps")
    elsewhere = kubectl("create token bob --audience=vault").strip()
    assert "Unauthorized" in kubectl.fails(f"{with_token.replace(token, elsewhere)} get configmaps")
    kubectl("delete serviceaccount bob")
    assert "Unauthorized" in kubectl.fails(f"{with_token} get configmaps")


def test_nobody_gives_what_he_has_not(kubectl):
    kubectl("create rolebinding editor --clusterrole=admin --user=jane")
    said = kubectl.fails("create role more --verb=get --resource=nodes --as=jane")
    assert "is attempting to grant RBAC permissions not currently held" in said
    assert "is attempting to grant RBAC permissions not currently held" in kubectl.fails("create rolebinding up --clusterrole=cluster-admin --user=jane --as=jane")


def test_reconcile(kubectl):
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "r", "namespace": kubectl.namespace}, "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]}
    kubectl("create role r --verb=list --resource=pods")
    assert "reconciled" in kubectl("auth reconcile -f -", yaml.safe_dump(role))
    rules = kubectl.get("role r")["rules"]
    assert {verb for rule in rules for verb in rule["verbs"]} == {"get", "list"}


def test_quota(kubectl):
    assert kubectl("create quota few --hard=configmaps=2,pods=1,requests.cpu=1") == "resourcequota/few created\n"
    kubectl("wait --for=jsonpath='{.status.hard.pods}'=1 quota/few --timeout=20s")
    kubectl("create configmap one")
    refused = kubectl.fails("create configmap two")
    assert "exceeded quota: few, requested: configmaps=1, used: configmaps=2, limited: configmaps=2" in refused
    assert "must specify requests.cpu" in kubectl.fails("run p --image=busybox")
    row = kubectl("get quota few").splitlines()[1]
    assert "configmaps: 2/2" in row and "pods: 0/1" in row
    assert kubectl("describe quota few").splitlines()[-3].split() == ["configmaps", "2", "2"]


def test_limit_range(kubectl):
    kubectl("create -f -", "apiVersion: v1\nkind: LimitRange\nmetadata: {name: bounds}\nspec: {limits: [{type: Container, default: {memory: 64Mi}, defaultRequest: {memory: 32Mi}, max: {memory: 128Mi}}]}\n")
    kubectl("run p --image=busybox --restart=Never --command -- true")
    assert kubectl("get pod p -o jsonpath='{.spec.containers[0].resources.limits.memory} {.spec.containers[0].resources.requests.memory}'") == "64Mi 32Mi"
    big = """{"spec":{"containers":[{"name":"big","image":"busybox","resources":{"limits":{"memory":"1Gi"}}}]}}"""
    assert "maximum memory usage per Container is 128Mi, but limit is 1Gi" in kubectl.fails(f"run big --image=busybox --overrides='{big}'")
    assert "128Mi" in kubectl("describe limitrange bounds")


def test_pod_security(cluster, kubectl):
    kubectl("run before --image=busybox --restart=Never --command -- true")
    warned = cluster.run(f"label namespace {kubectl.namespace} pod-security.kubernetes.io/enforce=restricted")
    assert 'existing pods in namespace' in warned.stderr and "violate the new PodSecurity enforce level" in warned.stderr
    refused = kubectl.fails("run bad --image=busybox")
    assert 'pods "bad" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false' in refused
    created = kubectl.run("create deployment bad --image=busybox")
    assert created.returncode == 0
    cluster(f"label namespace {kubectl.namespace} pod-security.kubernetes.io/enforce=baseline pod-security.kubernetes.io/warn=restricted --overwrite")
    assert "Warning: would violate PodSecurity" in kubectl.run("create deployment warned --image=busybox --replicas=0").stderr


POLICY = """
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: NAME}
spec:
  failurePolicy: Fail
  matchConstraints:
    resourceRules: [{apiGroups: [apps], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [deployments]}]
  variables: [{name: replicas, expression: object.spec.replicas}]
  validations:
  - {expression: variables.replicas <= 3, messageExpression: "'no more than 3 replicas, not ' + string(variables.replicas)", reason: Invalid}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: NAME}
spec:
  policyName: NAME
  validationActions: [Deny]
  matchResources: {namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: NAME}}}
"""


def test_admission_policies(cluster, kubectl, unique):
    cluster("apply -f -", POLICY.replace("NAME", unique))
    try:
        kubectl("create deployment small --image=busybox --replicas=0")
        refused = kubectl.fails("create deployment large --image=busybox --replicas=4")
        assert f"ValidatingAdmissionPolicy '{unique}' with binding '{unique}' denied request: no more than 3 replicas, not 4" in refused
        assert "no more than 3 replicas, not 9" in kubectl.fails("patch deployment small --type=merge -p '{\"spec\":{\"replicas\":9}}'")
    finally:
        cluster(f"delete validatingadmissionpolicy,validatingadmissionpolicybinding {unique}")


def test_pods_reach_the_api_as_themselves(kubectl, unique):
    kubectl(f"create rolebinding view --clusterrole=view --serviceaccount={unique}:default")
    script = (
        "import json, os, ssl, urllib.request as r; d = '/var/run/secrets/kubernetes.io/serviceaccount/'; "
        "t = open(d + 'token').read(); n = open(d + 'namespace').read(); "
        "u = 'https://%s:%s/api/v1/namespaces/%s/configmaps' % (os.environ['KUBERNETES_SERVICE_HOST'], os.environ['KUBERNETES_SERVICE_PORT'], n); "
        "q = r.Request(u, headers={'Authorization': 'Bearer ' + t}); "
        "print([c['metadata']['name'] for c in json.load(r.urlopen(q, context=ssl.create_default_context(cafile=d + 'ca.crt')))['items']])"
    )
    kubectl(f'run asks --image=python:3 --restart=Never --command -- python3 -c "{script}"')
    kubectl("wait --for=jsonpath='{.status.phase}'=Succeeded pod/asks --timeout=60s")
    assert kubectl("logs asks") == "['kube-root-ca.crt']\n"


def test_certificates_authenticate(cluster):
    who = cluster("auth whoami")
    assert "kubernetes-admin" in who and "system:masters" in who
    assert "DATA+OMITTED" in cluster("config view")
    server = cluster("config view --minify -o jsonpath='{.clusters[0].cluster.server}'")
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{server}/api/v1/pods", context=ssl._create_unverified_context())
    assert refused.value.code in (401, 403)

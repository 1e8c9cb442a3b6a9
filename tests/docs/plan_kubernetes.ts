import { type PlannedPage, run, skip } from "./plan.ts";

const PODS = "needs a cluster that runs pods";

/** The real kubectl with a server that stores objects and starts nothing. */
const CLUSTER = `
serve '^listening' deno run -A tests/docs/api_server.ts
export KUBECONFIG=/root/kubeconfig
kubectl config set-cluster test --server=http://127.0.0.1:8001 >/dev/null
kubectl config set-context test --cluster=test >/dev/null
kubectl config use-context test >/dev/null
`;

export const KUBERNETES: PlannedPage = {
  path: "docs/kubernetes.md",
  needs: ["kubectl"],
  setup: `${CLUSTER}
cp tests/manifest/nodelocaldns.yaml nodelocaldns.yaml`,
  replace: {
    KUBE_DNS: "10.96.0.10",
    IMAGE: "example.org/nodens-node:0.1.0",
    OVERLAY: "deploy/kustomize/mine",
    OBJECT: "daemonset/node-local-dns",
  },
  steps: [
    {
      run: "kubectl -n kube-system get service kube-dns -o jsonpath={.spec.clusterIP}",
      prints: /^10\.96\.0\.10$/,
    },
    {
      run: "kubectl -n kube-system get configmap kube-proxy -o yaml | grep mode:",
      prints: /mode: iptables/,
    },
    {
      run: "nodens manifest -kubedns KUBE_DNS -image IMAGE | kubectl apply -f -",
      prints: /^daemonset\.apps\/node-local-dns created$/m,
    },
    {
      run: "kubectl -n kube-system rollout status daemonset/node-local-dns",
      prints: /^daemon set "node-local-dns" successfully rolled out$/m,
    },
    {
      run: "nodens manifest -kubedns 10.96.0.10 -dual-stack fd00::10,fd00:10:96::a -image IMAGE",
      prints: /^kind: DaemonSet$[\s\S]*fd00::10/m,
    },
    ...run("nodens manifest -kubedns KUBE_DNS > deploy/kustomize/base/nodens.yaml"),
    {
      run: "kubectl apply -k OVERLAY",
      before: `mkdir -p deploy/kustomize/mine
cat >deploy/kustomize/mine/kustomization.yaml <<'END'
resources:
  - ../base
images:
  - name: nodens-node
    newName: registry.example.org/nodens-node
    newTag: 0.1.0
END`,
      prints: /^daemonset\.apps\/node-local-dns configured$/m,
    },
    ...skip(
      "Debian has no package of Helm; tests/manifest renders the chart with Helm's libraries",
      "helm install nodens deploy/helm/nodens -n kube-system --set kubeDns=KUBE_DNS,image=IMAGE",
    ),
    {
      run: "kubectl -n kube-system label OBJECT app.kubernetes.io/managed-by=Helm",
      before: `kubectl -n kube-system get daemonset/node-local-dns -o yaml |
  grep 'image: registry.example.org/nodens-node:0.1.0'`,
      prints: /^daemonset\.apps\/node-local-dns labeled$/m,
    },
    {
      run: "kubectl -n kube-system annotate OBJECT " +
        "meta.helm.sh/release-name=nodens meta.helm.sh/release-namespace=kube-system",
      prints: /^daemonset\.apps\/node-local-dns annotated$/m,
    },
    {
      run: "nodens manifest -from nodelocaldns.yaml -kubedns KUBE_DNS -image IMAGE -diff",
      prints: /^\+ +image: example\.org\/nodens-node:0\.1\.0$/m,
    },
    {
      run: "nodens manifest -from nodelocaldns.yaml -kubedns KUBE_DNS -image IMAGE" +
        " | kubectl apply -f -",
      prints: /^daemonset\.apps\/node-local-dns configured$/m,
    },
    {
      run:
        "kubectl -n kube-system get configmap coredns coredns-custom --ignore-not-found -o yaml" +
        " > coredns.yaml",
      before: `cat >custom.yaml <<'END'
apiVersion: v1
kind: ConfigMap
metadata: {name: coredns-custom, namespace: kube-system}
data:
  acme.server: "acme.local {\\n  forward . 198.51.100.1\\n}\\n"
END
kubectl apply -f custom.yaml`,
    },
    {
      run: "nodens manifest -kubedns KUBE_DNS -image IMAGE -inherit coredns.yaml > nodens.yaml",
      prints:
        /^brought over: coredns\.yaml: acme\.server:1: the zone acme\.local \(198\.51\.100\.1\)$/m,
    },
    { run: "nodens manifest -check nodens.yaml -inherit coredns.yaml", prints: /^$/ },
    ...skip("needs a node", "nodens doctor -inherit coredns.yaml ARGUMENTS"),
    {
      run: "kubectl -n kube-system rollout status daemonset/node-local-dns",
      prints: /successfully rolled out$/m,
    },
    ...skip(
      PODS,
      "kubectl -n kube-system exec daemonset/node-local-dns -- nodens status localhost:9353",
      "kubectl -n kube-system exec daemonset/node-local-dns -- nodens top -once",
      "kubectl run try --rm -it --restart=Never --image=busybox -- nslookup kubernetes.default",
    ),
  ],
};

const PATCHED = /^daemonset\.apps\/node-local-dns patched$/m;

export const MIGRATE: PlannedPage = {
  path: "docs/migrate-from-node-cache.md",
  needs: ["kubectl"],
  setup: `${CLUSTER}
nodens manifest -from tests/manifest/nodelocaldns.yaml -kubedns 10.96.0.10 -image old.example.org/nodens |
  sed s,old.example.org/nodens,registry.k8s.io/dns/k8s-dns-node-cache:1.26.4, | kubectl apply -f -`,
  replace: { IMAGE: "example.org/nodens-node:0.1.0" },
  steps: [
    {
      run: "kubectl -n kube-system patch daemonset node-local-dns --type merge " +
        `-p '{"spec":{"updateStrategy":{"type":"OnDelete","rollingUpdate":null}}}'`,
      prints: PATCHED,
    },
    {
      run: "kubectl -n kube-system set image daemonset/node-local-dns node-cache=IMAGE",
      prints: /^daemonset\.apps\/node-local-dns image updated$/m,
    },
    ...skip(
      PODS,
      "kubectl -n kube-system delete pod -l k8s-app=node-local-dns " +
        "--field-selector spec.nodeName=NODE",
    ),
    {
      run: "kubectl -n kube-system patch daemonset node-local-dns --type merge -p " +
        `'{"spec":{"updateStrategy":{"type":"RollingUpdate","rollingUpdate":{"maxUnavailable":"10%"}}}}'`,
      before: `kubectl -n kube-system get daemonset/node-local-dns -o yaml >changed.yaml
grep 'image: example.org/nodens-node:0.1.0' changed.yaml
grep 'type: OnDelete' changed.yaml`,
      prints: PATCHED,
    },
    {
      run: "kubectl -n kube-system rollout status daemonset/node-local-dns",
      prints: /successfully rolled out$/m,
    },
    ...skip(
      "needs a cluster that keeps revisions",
      "kubectl -n kube-system rollout undo daemonset/node-local-dns",
    ),
  ],
};

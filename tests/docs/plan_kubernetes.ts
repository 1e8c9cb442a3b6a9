import type { PlannedPage } from "./plan.ts";

const PODS = "needs a cluster that runs pods";

export const KUBERNETES: PlannedPage = {
  path: "docs/kubernetes.md",
  needs: ["kubectl"],
  // kubectl is the real one; what it talks to keeps objects and starts nothing.
  setup: `
serve '^listening' deno run -A tests/docs/api_server.ts
export KUBECONFIG=/root/kubeconfig
kubectl config set-cluster test --server=http://127.0.0.1:8001 >/dev/null
kubectl config set-context test --cluster=test >/dev/null
kubectl config use-context test >/dev/null
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
    { run: "nodens manifest -kubedns KUBE_DNS > deploy/kustomize/base/nodens.yaml" },
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
    {
      skip:
        "helm install nodens deploy/helm/nodens -n kube-system --set kubeDns=KUBE_DNS,image=IMAGE",
      why: "Helm is no package of Debian; tests/manifest renders the chart with Helm's libraries",
    },
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
      run: "kubectl -n kube-system rollout status daemonset/node-local-dns",
      prints: /successfully rolled out$/m,
    },
    {
      skip: "kubectl -n kube-system exec daemonset/node-local-dns -- nodens status localhost:9353",
      why: PODS,
    },
    {
      skip:
        "kubectl run try --rm -it --restart=Never --image=busybox -- nslookup kubernetes.default",
      why: PODS,
    },
  ],
};

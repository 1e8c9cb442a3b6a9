/** What a hostile page has got from an address; the page tries all that browsers offer. */
export interface Loot {
  [attempt: string]: string;
}

/** Tries each way to read an address, or to see that it answers; leaves `window.loot`. */
const SCRIPT = String.raw`
const target = new URLSearchParams(location.search).get("target");
const limited = (work) => Promise.race([
  work.catch((error) => "nothing: " + error.name),
  new Promise((resolve) => setTimeout(() => resolve("nothing: silence"), 5000)),
]);
const element = (name, url) => new Promise((resolve, reject) => {
  const node = document.createElement(name);
  node.onload = () => resolve("loaded");
  node.onerror = () => reject(new Error(name));
  if (name === "link") Object.assign(node, { rel: "stylesheet", href: url });
  else node[name === "object" ? "data" : "src"] = url;
  document.body.append(node);
});
const fetched = async (path, init) => {
  const response = await fetch(target + path, init);
  return response.type === "opaque" ? "opaque " + (await response.text()) : await response.text();
};
const stream = (path) => new Promise((resolve, reject) => {
  const source = new EventSource(target + path);
  source.onopen = () => resolve("open");
  source.addEventListener("view", ({ data }) => resolve(data));
  source.onerror = () => { source.close(); reject(new Error("EventSource")); };
});
const framed = async (path) => {
  const frame = document.createElement("iframe");
  const loaded = new Promise((resolve) => frame.onload = resolve);
  frame.src = target + path;
  document.body.append(frame);
  await loaded;
  return frame.contentDocument === null ? "nothing: closed" : frame.contentDocument.body.innerText;
};
const opened = async (path) => {
  const other = open(target + path);
  if (other === null) return "nothing: no window";
  await new Promise((resolve) => setTimeout(resolve, 500));
  try { return other.document.body.innerText; } finally { other.close(); }
};
const tries = { "/ fetch": fetched("/"), "/ frame": framed("/"), "/ window": opened("/") };
for (const path of ["/events", "/status"]) {
  tries[path + " fetch"] = fetched(path);
  tries[path + " opaque"] = fetched(path, { mode: "no-cors" });
  tries[path + " stream"] = stream(path);
  tries[path + " frame"] = framed(path);
  for (const name of ["script", "img", "link"]) {
    tries[path + " " + name] = element(name, target + path);
  }
}
window.loot = Promise.all(Object.entries(tries).map(async ([name, work]) =>
  [name, await limited(work)])).then(Object.fromEntries);
`;

/** The hostile page. */
export const ATTACK = `<!doctype html><title>Attacker</title><body><script>${SCRIPT}</script>`;

/** Serves the hostile page at any name. */
export function serveAttacker(port: number): Deno.HttpServer {
  return Deno.serve(
    { hostname: "127.0.0.1", port, onListen() {} },
    () => new Response(ATTACK, { headers: { "content-type": "text/html" } }),
  );
}

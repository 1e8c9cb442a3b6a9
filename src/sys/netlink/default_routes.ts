/** Interfaces of default routes in /proc/net/route: name, destination, …, mask (column 8). */
export function defaultLinks(text: string): string[] {
  return wordsOf(text).filter((words) => words[1] === "00000000" && words[7] === "00000000")
    .map(([name]) => name!);
}

/** In ipv6_route: destination, prefix length, …, name. */
export function defaultLinks6(text: string): string[] {
  return wordsOf(text).filter(([to, prefix]) => /^0{32}$/.test(to!) && prefix === "00")
    .map((words) => words.at(-1)!).filter((name) => name !== "lo");
}

function wordsOf(text: string): string[][] {
  return text.split("\n").map((line) => line.trim().split(/\s+/));
}

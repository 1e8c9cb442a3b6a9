import type { NodeContainer } from "./documents.ts";

/**
 * Puts `image` in the place of what the containers run, in the quotes that stand there. Nothing else
 * of the text changes: comments, order and fields that nobody here knows stay as they are.
 */
export function setImage(
  text: string,
  containers: readonly NodeContainer[],
  image: string,
): string {
  let changed = text;
  const places = containers.flatMap(({ image }) => image ?? []);
  // From the last one, so that the places before it stay right.
  for (const { start, end } of places.sort((a, b) => b.start - a.start)) {
    const quote = /^["']/.exec(text.slice(start, end))?.[0] ?? "";
    changed = changed.slice(0, start) + quote + image + quote + changed.slice(end);
  }
  return changed;
}

/**
 * Why nodes cannot pull an image, or null: a name without a registry or a repository's owner is one
 * of the official images of Docker Hub, of which nodens is none.
 */
export function pullFault(image: string): string | null {
  if (image.includes("/")) return null;
  return `no node can pull "${image}": the name has no registry (write` +
    " REGISTRY/NAME:TAG of the one that you have pushed, by -image; or load it into every node)";
}

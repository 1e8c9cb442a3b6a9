/**
 * Why nodes cannot pull an image, or null: a name without a registry or a repository's owner is one
 * of the official images of Docker Hub, of which nodens is none.
 */
export function pullFault(image: string): string | null {
  if (image.includes("/")) return null;
  return `no node can pull "${image}": the name has no registry (give -image` +
    " REGISTRY/NAME:TAG, where you have pushed your image; or load it into every node)";
}

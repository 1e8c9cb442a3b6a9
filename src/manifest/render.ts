import { manifestObjects } from "./objects.ts";
import type { ManifestOptions } from "./options.ts";
import type { Yaml } from "./yaml.ts";

/** The manifest as `kubectl apply -f -` takes it: YAML documents, under a comment. */
export function renderManifest(options: ManifestOptions, comment: string, yaml: Yaml): string {
  const documents = manifestObjects(options).map((object) =>
    yaml.stringify(object, {
      lineWidth: 0,
      blockQuote: "literal",
      // The same labels stand in many places; nobody wants to read them as anchors.
      aliasDuplicateObjects: false,
    })
  );
  return `# ${comment}\n${documents.join("---\n")}`;
}

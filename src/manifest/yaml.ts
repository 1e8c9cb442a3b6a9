/** The YAML library, handed to what needs it. */
export type Yaml = typeof import("yaml");

/** Loads the YAML library, which only this command needs. */
export async function loadYaml(): Promise<Yaml> {
  return await import("yaml");
}

/** The linter of GitHub's editor: schema, expressions, and references between jobs and steps. */
import { registerHooks } from "node:module";
import { pathToFileURL } from "node:url";

/** JSON that it imports without the attribute that Deno requires. */
const JSON_OF_PACKAGE = /\/@actions\/[^?]*\.min\.json$/;

/** Finds faults in the text of a workflow, `line: what`. */
export type WorkflowLinter = (name: string, text: string) => Promise<string[]>;

/** Loads the linter. It finds called workflows in `folder`. */
export async function loadWorkflowLinter(folder: string): Promise<WorkflowLinter> {
  const hooks = registerHooks({
    load(url, context, next) {
      if (!JSON_OF_PACKAGE.test(url)) return next(url, context);
      const source = `export default ${Deno.readTextFileSync(new URL(url))}`;
      return { format: "module", shortCircuit: true, source };
    },
  });
  const { validate } = await import("@actions/languageservice/validate");
  const { clearCache } = await import("@actions/languageservice/utils/workflow-cache");
  const { TextDocument } = await import("vscode-languageserver-textdocument");
  hooks.deregister();
  const fileProvider = {
    getFileContent: (reference: unknown) => {
      const { path } = reference as { path: string };
      const name = path.slice(path.lastIndexOf("/") + 1);
      return Promise.resolve({ name: path, content: Deno.readTextFileSync(`${folder}/${name}`) });
    },
  };
  return async (name, text) => {
    const { href } = pathToFileURL(`${folder}/${name}`);
    // Its cache is keyed by name.
    clearCache();
    const document = TextDocument.create(href, "yaml", 1, text);
    const found = await validate(document, { fileProvider });
    return found.map(({ message, range }) => `${range.start.line + 1}: ${message}`);
  };
}

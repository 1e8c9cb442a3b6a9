/** The project's folder. */
export const ROOT: string = new URL("../../", import.meta.url).pathname;

/** The files below a folder of the project, by their paths in it. */
export function sourcesIn(folder: string, names = /\.ts$/): { path: string; text: string }[] {
  const read = (inner: string): { path: string; text: string }[] =>
    [...Deno.readDirSync(`${ROOT}${folder}/${inner}`)].flatMap(({ name, isDirectory }) => {
      const path = inner + name;
      if (isDirectory) return read(`${path}/`);
      if (!names.test(name)) return [];
      return [{ path, text: Deno.readTextFileSync(`${ROOT}${folder}/${path}`) }];
    });
  return read("");
}

/**
 * The units of deploy/systemd in a bare Debian booted by systemd, installed by the commands of
 * docs/install.md; and that page's recipes for programs that write /etc/resolv.conf.
 */
import { type BootedTree, bootReasons } from "../support/containers/booted_tree.ts";
import { withFolder } from "../support/run/folder.ts";
import { Trees } from "../support/containers/installed_tree.ts";
import { skipFor } from "../support/run/require.ts";
import { tryPackage } from "./package.ts";
import { RECIPES } from "./recipes.ts";
import { tryUnits } from "./service.ts";

Deno.test({
  name: "docs/install.md: units and recipes work in a Debian booted by systemd",
  ...skipFor(bootReasons()),
  fn: (t) =>
    withFolder(async (folder) => {
      const trees = await Trees.make(folder);
      // Beside the units, which mostly wait; one after the other, for memory.
      let last: Promise<unknown> = Promise.resolve();
      const recipes = Object.entries(RECIPES).map(([name, recipe]) => {
        const outcome = last.then(() => tryRecipe(trees, recipe)).then(
          () => null,
          (error) => error,
        );
        last = outcome;
        return { name, outcome };
      });
      await t.step(`the units: ${trees.what}`, (t) => tryUnits(t, trees));
      await t.step("the Debian package", () => tryRecipe(trees, tryPackage));
      for (const { name, outcome } of recipes) {
        await t.step(`the recipe ${name}`, async () => {
          const error = await outcome;
          if (error !== null) throw error;
        });
      }
    }),
});

async function tryRecipe(trees: Trees, recipe: (tree: BootedTree) => Promise<void>): Promise<void> {
  const tree = await trees.boot();
  try {
    await recipe(tree);
  } finally {
    await tree.off();
  }
}

/**
 * The units of deploy/systemd in a bare Debian that systemd has booted, installed by the commands of
 * docs/install.md as they stand there; and that page's recipes for what writes /etc/resolv.conf.
 */
import { bootReasons } from "../support/booted_tree.ts";
import { withFolder } from "../support/folder.ts";
import { Trees } from "../support/installed_tree.ts";
import { skipFor } from "../support/net_require.ts";
import { RECIPES } from "./recipes.ts";
import { tryUnits } from "./service.ts";

Deno.test({
  name: "the units and recipes of the page, in a Debian that systemd has booted",
  ...skipFor(bootReasons()),
  fn: (t) =>
    withFolder(async (folder) => {
      const trees = await Trees.make(folder);
      await t.step(`the units: ${trees.what}`, (t) => tryUnits(t, trees));
      for (const [name, recipe] of Object.entries(RECIPES)) {
        await t.step(`the recipe ${name}`, async () => {
          const tree = await trees.boot();
          try {
            await recipe(tree);
          } finally {
            await tree.off();
          }
        });
      }
    }),
});

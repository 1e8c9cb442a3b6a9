/** Factor for time limits on slow machines, such as emulators (NODENS_TEST_PATIENCE). */
export const PATIENCE = Number(Deno.env.get("NODENS_TEST_PATIENCE") ?? "1");

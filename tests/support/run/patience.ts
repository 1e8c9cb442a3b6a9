/**
 * How many times slower programs run here than on the machines that the tests' time limits are made
 * for. Whoever runs tests in an emulator says so in NODENS_TEST_PATIENCE.
 */
export const PATIENCE = Number(Deno.env.get("NODENS_TEST_PATIENCE") ?? "1");

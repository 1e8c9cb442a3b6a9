/** Waits for `work`, such as the import of a module; clients are answered meanwhile. */
export async function whileServing<T>(driver: { turn(): void }, work: Promise<T>): Promise<T> {
  let pending = true;
  const end = () => {
    pending = false;
  };
  work.then(end, end);
  while (pending) {
    // The thread's own events, which modules are loaded by.
    await new Promise((resume) => setTimeout(resume, 0));
    driver.turn();
  }
  return await work;
}

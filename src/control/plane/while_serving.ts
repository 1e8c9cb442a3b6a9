/** Waits for `work`, such as the import of a module; clients are answered meanwhile. */
export async function whileServing<T>(driver: { turn(): void }, work: Promise<T>): Promise<T> {
  let pending = true;
  const end = () => {
    pending = false;
  };
  work.then(end, end);
  while (pending) {
    // Lets the thread's events load the modules.
    await new Promise((resume) => setTimeout(resume, 0));
    driver.turn();
  }
  return await work;
}

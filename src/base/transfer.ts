/**
 * Gives a buffer's memory back now; views of it are empty from then on. Does nothing to one that was
 * handed to another thread.
 */
export function releaseBuffer(buffer: ArrayBuffer): void {
  if (buffer.detached) return;
  if (buffer.resizable) buffer.resize(0);
  else buffer.transfer(0);
}

/** A copy that gives its memory back in the same way. */
export function copyBuffer(buffer: ArrayBuffer): ArrayBuffer {
  const size = buffer.byteLength;
  const copy = new ArrayBuffer(size, { maxByteLength: size });
  new Uint8Array(copy).set(new Uint8Array(buffer));
  return copy;
}

/** Frees a buffer's memory; its views become empty. */
export function releaseBuffer(buffer: ArrayBuffer): void {
  if (buffer.detached) return;
  if (buffer.resizable) buffer.resize(0);
  else buffer.transfer(0);
}

/** Copies a buffer into one that `releaseBuffer` can resize. */
export function copyBuffer(buffer: ArrayBuffer): ArrayBuffer {
  const size = buffer.byteLength;
  const copy = new ArrayBuffer(size, { maxByteLength: size });
  new Uint8Array(copy).set(new Uint8Array(buffer));
  return copy;
}
